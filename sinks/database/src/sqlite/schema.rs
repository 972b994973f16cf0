//! Opening the file: pragmas and migrations.
//!
//! A database that a newer program has migrated is refused. The three secondary indexes of `orders` are what the lists
//! of the API need and no more. Measured, they reduce inserts from 356k to 154k rows a second and updates from 305k to
//! 239k.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use orderflow_world::disk::Disk;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::{
    ConnectOptions, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
};

use super::wal;
use crate::{DatabaseError, migrations::migrator};

/// The steps that create the tables: name and statements.
const STEPS: [(&str, &str); 2] = [
    ("tables", include_str!("migrations/0001_tables.sql")),
    ("shipments", include_str!("migrations/0002_shipments.sql")),
];

static MIGRATIONS: LazyLock<Migrator> = LazyLock::new(|| migrator(&STEPS));

/// The schema version that this program writes.
const SCHEMA_VERSION: i64 = STEPS.len() as i64;

/// The page size in bytes. It writes a twentieth faster than SQLite's 4 KiB. 16 KiB would write another twentieth
/// faster, at twice the bytes of each point read.
const PAGE_BYTES: u32 = 8 * 1024;

/// How the database uses memory and the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SqliteSettings {
    /// Bytes of pages that the writer keeps in memory.
    #[schemars(range(min = 65_536))]
    pub write_cache_bytes: u32,
    /// Bytes of pages that each reading connection keeps in memory.
    #[schemars(range(min = 65_536))]
    pub read_cache_bytes: u32,
    /// Bytes of the file that are read through the page cache without copying.
    pub mmap_bytes: u64,
    /// The size at which the WAL is moved into the file. Larger is cheaper for pages that change often; opening after a
    /// crash reads no more than this.
    #[schemars(range(min = 65_536))]
    pub wal_bytes: u32,
    /// Connections that read single orders and SKUs.
    #[schemars(range(min = 1, max = 1_000))]
    pub point_readers: u32,
    /// Connections that read and count lists.
    #[schemars(range(min = 1, max = 1_000))]
    pub list_readers: u32,
    /// How long a read may take.
    #[schemars(range(min = 1))]
    pub read_ms_max: u64,
    /// How long a read waits for a connection.
    #[schemars(range(min = 1))]
    pub acquire_ms_max: u64,
    /// The name of the VFS of SQLite that has the files, for programs that have registered one, such as the simulator.
    #[serde(skip)]
    pub vfs: Option<&'static str>,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self {
            write_cache_bytes: 32 << 20,
            read_cache_bytes: 8 << 20,
            mmap_bytes: 1 << 30,
            wal_bytes: 32 << 20,
            point_readers: 4,
            list_readers: 2,
            read_ms_max: 5_000,
            acquire_ms_max: 2_000,
            vfs: None,
        }
    }
}

/// The options that all connections share.
pub(super) fn options(path: &Path, settings: &SqliteSettings, cache_bytes: u32) -> SqliteConnectOptions {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(std::time::Duration::from_secs(5))
        .pragma("cache_size", format!("-{}", cache_bytes / 1024))
        .pragma("temp_store", "memory")
        .pragma("mmap_size", settings.mmap_bytes.to_string())
        .disable_statement_logging();
    match settings.vfs {
        Some(name) => options.vfs(name),
        None => options,
    }
}

/// Connects for writing after making the WAL durable. Creates the file if it does not exist.
pub(super) async fn connect(
    disk: &Arc<dyn Disk>,
    path: &Path,
    settings: &SqliteSettings,
) -> Result<SqliteConnection, DatabaseError> {
    wal::make_durable(disk, path).await?;
    let options = options(path, settings, settings.write_cache_bytes)
        .create_if_missing(true)
        .page_size(PAGE_BYTES)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("wal_autocheckpoint", (settings.wal_bytes / PAGE_BYTES).to_string())
        // Without this limit, the WAL file keeps the size that the longest reader has caused.
        .pragma("journal_size_limit", settings.wal_bytes.to_string());
    options.connect().await.map_err(DatabaseError::query("open the database"))
}

/// Opens the database for writing, creates it if it does not exist, and upgrades its tables.
pub(super) async fn open(
    disk: &Arc<dyn Disk>,
    path: &Path,
    settings: &SqliteSettings,
) -> Result<SqliteConnection, DatabaseError> {
    let mut connection = connect(disk, path, settings).await?;
    // `run` is not used: the compiler cannot see that its future is `Send`.
    match MIGRATIONS.run_direct(None, &mut connection, false).await {
        Ok(()) => Ok(connection),
        Err(MigrateError::VersionMissing(found)) => {
            Err(DatabaseError::Newer { found, known: SCHEMA_VERSION })
        }
        Err(error) => {
            Err(DatabaseError::Schema { path: path.display().to_string(), source: Box::new(error) })
        }
    }
}
