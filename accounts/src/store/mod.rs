//! The store of accounts: a file of its own in the data directory, or a schema of its own in Postgres. It is never the
//! database of orders: that one can be deleted and is filled again from the log, and accounts cannot.
//!
//! *Durability*: each change is one transaction, synced before it is answered.
//! *Order*: changes happen one after the other, in all processes, so that revocations are numbered in the order in
//! which they become visible.
//! *Reads* are bounded in rows and time.

mod driver;
mod error;
mod postgres;
mod sqlite;
mod statement;

use std::path::PathBuf;

use async_trait::async_trait;
use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

pub(crate) use self::statement::sql;
pub use self::{
    error::StoreError,
    statement::{Row, Statement, Value},
};
use self::{postgres::Postgres, sqlite::Sqlite};

/// Where the store of accounts is.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreLocation {
    /// A SQLite file at this path.
    File(PathBuf),
    /// The schema `accounts` of the Postgres at this URL, which may contain a password.
    Postgres(String),
}

/// A database that runs statements. All methods may be called from many tasks at once.
#[async_trait]
pub trait Store: Send + Sync {
    /// Creates the tables, or upgrades them. A store that a newer program has migrated is refused.
    async fn migrate(&self) -> Result<(), StoreError>;

    /// Runs a statement and returns its rows.
    async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, StoreError>;

    /// Runs all statements in one transaction and returns the rows of the first. If the first returns no row, nothing
    /// is changed and no other statement runs.
    async fn transact(&self, first: Statement, then: Vec<Statement>) -> Result<Vec<Row>, StoreError>;

    /// Removes what deleted rows have left in the store's files.
    async fn scrub(&self) -> Result<(), StoreError>;

    /// Waits for what is running and closes all connections.
    async fn close(&self);
}

/// Connects to the store lazily: a store that is away is found out by the first statement.
pub fn open(location: &StoreLocation) -> Result<Box<dyn Store>, StoreError> {
    Ok(match location {
        StoreLocation::File(path) => Box::new(Sqlite::new(path)?),
        StoreLocation::Postgres(url) => Box::new(Postgres::new(url)?),
    })
}

/// The migrations with these names and statements, in order; the first has version 1. From the first release on, steps
/// are only ever added.
fn migrator(steps: &[(&'static str, &'static str)]) -> Migrator {
    let migration = |(version, (name, sql)): (i64, &(&'static str, &'static str))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, (*sql).into_sql_str(), false)
    };
    Migrator::with_migrations((1..).zip(steps).map(migration).collect())
}
