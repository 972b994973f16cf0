//! Bringing the tables up to date.
//!
//! Processes that start together take turns, by an advisory lock. A
//! database that a newer program has migrated is refused rather than guessed at.

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

/// The steps that make the tables.
const STEPS: [(&str, &str); 1] = [("tables", include_str!("migrations/0001_tables.sql"))];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(&STEPS));

/// The schema version this program writes.
const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// What two processes that make the schema at the same time may be told: it is there.
const DUPLICATE_SCHEMA: [&str; 2] = ["42P06", "23505"];

/// Makes the schema and its tables, or brings them up to date, over a connection of its own: one without a time limit,
/// since a large table's index takes as long as it takes.
pub(super) async fn migrate(url: &str, settings: &PostgresSettings) -> Result<(), DatabaseError> {
    let mut connection = connect::connect(url, settings, Purpose::Migrate).await?;
    connect::check_version(connection.server_version_num())?;
    let made = make_schema(&mut connection, &settings.schema).await;
    made.map_err(DatabaseError::query("make the schema"))?;
    // Not `run`, whose future the compiler does not see can be sent.
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

/// Asks first: making a schema that is there still needs the right to make one.
async fn make_schema(connection: &mut PgConnection, name: &SchemaName) -> Result<(), sqlx::Error> {
    let find = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL").bind(name.as_str());
    let found: bool = find.fetch_one(&mut *connection).await?;
    if found {
        return Ok(());
    }
    // A `SchemaName` has only letters, digits and underscores.
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
