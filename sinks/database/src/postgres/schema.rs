//! Creating and upgrading the tables.
//!
//! Processes that start together take turns, by an advisory lock. A database that a newer program has migrated is
//! refused.

use std::sync::LazyLock;

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection,
    migrate::{MigrateError, Migrator},
};

use super::{
    PostgresSettings, SchemaName,
    connect::{self, Purpose},
};
use crate::{DatabaseError, migrations::migrator};

/// The steps that create the tables: name and statements.
const STEPS: [(&str, &str); 2] = [
    ("tables", include_str!("migrations/0001_tables.sql")),
    ("shipments", include_str!("migrations/0002_shipments.sql")),
];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(&STEPS));

/// The schema version that this program writes.
const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// The error codes that two processes may get when they create the schema at the same time. They mean that it exists.
const DUPLICATE_SCHEMA: [&str; 2] = ["42P06", "23505"];

/// Creates the schema and its tables, or upgrades the tables. Uses a connection of its own without a time limit,
/// because creating an index on a large table may take long.
pub(super) async fn migrate(url: &str, settings: &PostgresSettings) -> Result<(), DatabaseError> {
    let mut connection = connect::connect(url, settings, Purpose::Migrate).await?;
    connect::check_version(connection.server_version_num())?;
    let made = make_schema(&mut connection, &settings.schema).await;
    made.map_err(DatabaseError::query("make the schema"))?;
    // `run` is not used: the compiler cannot see that its future is `Send`.
    match MIGRATIONS.run_direct(None, &mut connection, false).await {
        Ok(()) => {}
        Err(MigrateError::VersionMissing(found)) => {
            return Err(DatabaseError::Newer { found, known: SCHEMA_VERSION });
        }
        Err(error) => {
            let path = connect::place(url, settings);
            return Err(DatabaseError::Schema { path, source: Box::new(error) });
        }
    }
    connection.close().await.map_err(DatabaseError::query("close the connection that migrated"))
}

/// Creates the schema if it does not exist. Checks first, because `CREATE SCHEMA IF NOT EXISTS` needs the privilege to
/// create one even if the schema exists.
async fn make_schema(connection: &mut PgConnection, name: &SchemaName) -> Result<(), sqlx::Error> {
    let find = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(name.as_str());
    let found: bool = find.fetch_one(&mut *connection).await?;
    if found {
        return Ok(());
    }
    // The statement is safe: a `SchemaName` has only letters, digits and underscores.
    let made = connection.execute(AssertSqlSafe(format!("CREATE SCHEMA IF NOT EXISTS \"{name}\""))).await;
    match made {
        Err(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| DUPLICATE_SCHEMA.contains(&&*code)) =>
        {
            Ok(())
        }
        made => made.map(|_| ()),
    }
}
