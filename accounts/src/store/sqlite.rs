//! Accounts in a SQLite file.
//!
//! *Durability*: WAL with `synchronous=FULL`. *Erasure*: `secure_delete` overwrites deleted rows, and [`Store::scrub`]
//! moves the WAL into the file and empties it. *Secrecy*: only the user of the process can read the files. *Several
//! processes* may use the file: the server, and commands.

use std::{fs::OpenOptions, io, os::unix::fs::OpenOptionsExt, path::Path, sync::LazyLock, time::Duration};

use async_trait::async_trait;
use sqlx::{
    Column, ConnectOptions, Row as _, Sqlite as Driver, SqlitePool, TypeInfo, ValueRef,
    migrate::Migrator,
    sqlite::{
        SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
        SqliteSynchronous,
    },
};

use super::{Row, Statement, Store, StoreError, Value, driver::driver, migrator};

const STEPS: [(&str, &str); 1] = [("accounts", include_str!("migrations/sqlite_0001.sql"))];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(&STEPS));

/// Connections to the file.
const CONNECTIONS: u32 = 4;
/// How long a statement waits for a connection, or for another process that writes.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// The file with the accounts.
#[derive(Debug)]
pub struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    /// The store in the file at this path, which is created if it is not there.
    pub fn new(path: &Path) -> Result<Self, StoreError> {
        create(path).map_err(sqlx::Error::Io)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(WAIT_MAX)
            .foreign_keys(true)
            .pragma("secure_delete", "on")
            .pragma("cache_size", "-1024")
            .disable_statement_logging();
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(WAIT_MAX);
        Ok(Self { pool: pool.connect_lazy_with(options) })
    }
}

/// Creates the file, readable for nobody else: it holds the keys that sign tokens. SQLite gives the files beside it the
/// same mode.
fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

driver!(Driver, SqliteArguments, SqliteRow, "INTEGER", "BLOB");

#[async_trait]
impl Store for Sqlite {
    async fn migrate(&self) -> Result<(), StoreError> {
        let mut connection = self.pool.acquire().await?;
        let done = MIGRATIONS.run_direct(None, &mut *connection, false).await;
        done.map_err(|error| StoreError::Migrate(Box::new(error)))
    }

    async fn fetch(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let rows = query(statement).fetch_all(&self.pool).await?;
        rows.iter().map(row).collect()
    }

    async fn transact(&self, first: Statement, then: Vec<Statement>) -> Result<Vec<Row>, StoreError> {
        // IMMEDIATE waits for other writers at the beginning. A transaction that becomes a writer later cannot wait.
        let transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        finish(transaction, first, then).await
    }

    async fn scrub(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
