//! Accounts in the schema `accounts` of Postgres.
//!
//! *Durability*: `synchronous_commit=on`. *Order*: an advisory lock lets one transaction change accounts at a time.
//! *Erasure*: [`Store::scrub`] vacuums the tables; Postgres's own WAL and backups keep what they have until they expire.

use std::{str::FromStr, sync::LazyLock, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Column, ConnectOptions, Executor, PgPool, Postgres as Driver, Row as _, TypeInfo, ValueRef,
    migrate::Migrator,
    postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow},
};

use super::{Row, Statement, Store, StoreError, Value, driver::driver, migrator};

const STEPS: [(&str, &str); 1] = [("accounts", include_str!("migrations/postgres_0001.sql"))];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(&STEPS));

const SCHEMA: &str = "accounts";
/// Connections to Postgres.
const CONNECTIONS: u32 = 8;
/// How long a statement waits for a connection.
const ACQUIRE_MAX: Duration = Duration::from_secs(2);
/// The key of the advisory lock of all changes: "accounts" in ASCII.
const LOCK: i64 = i64::from_be_bytes(*b"accounts");

/// The schema with the accounts.
#[derive(Debug)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// The store in the Postgres at this URL.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)?
            .application_name("orderflow accounts")
            .options([
                ("search_path", SCHEMA),
                ("statement_timeout", "5000"),
                ("lock_timeout", "5000"),
                ("idle_in_transaction_session_timeout", "10000"),
                ("synchronous_commit", "on"),
                ("tcp_keepalives_idle", "30"),
            ])
            .disable_statement_logging();
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_MAX);
        Ok(Self { pool: pool.connect_lazy_with(options) })
    }
}

driver!(Driver, PgArguments, PgRow, "INT8", "BYTEA");

#[async_trait]
impl Store for Postgres {
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let exists: bool = sqlx::query_scalar("SELECT to_regnamespace($1) IS NOT NULL")
            .bind(SCHEMA)
            .fetch_one(&mut *connection)
            .await?;
        if !exists {
            // Two processes may create it at the same time; the second finds that it exists.
            match connection.execute("CREATE SCHEMA IF NOT EXISTS accounts").await {
                Ok(_) => {}
                Err(sqlx::Error::Database(error))
                    if matches!(error.code().as_deref(), Some("42P06" | "23505")) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let done = MIGRATIONS.run_direct(None, &mut *connection, false).await;
        done.map_err(|error| StoreError::Migrate(Box::new(error)))
    }

    async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let rows = query(statement).fetch_all(&self.pool).await?;
        rows.iter().map(row).collect()
    }

    async fn transact(&self, first: Statement, then: Vec<Statement>) -> Result<Vec<Row>, StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
        finish(transaction, first, then).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        for table in ["VACUUM users", "VACUUM sessions", "VACUUM resets"] {
            sqlx::query(table).execute(&self.pool).await?;
        }
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
