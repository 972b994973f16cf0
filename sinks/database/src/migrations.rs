//! Migrations: the steps that create the tables of a database, in the order of their versions.
//!
//! They are embedded in the program. From the first release on, steps are only ever added: a database remembers the
//! checksum of each step that was applied. They are listed by hand because sqlx's macro that reads a folder compiles
//! the drivers, and with them SQLite, a second time for the build itself.

use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// The migrations with these names and statements, in order; the first has version 1.
pub(crate) fn migrator(steps: &[(&'static str, &'static str)]) -> Migrator {
    let migration = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(steps).map(migration).collect())
}
