//! Opening the database: to write, to read, to compare it with the log.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result};
use orderflow_api::Part;
use orderflow_sinks::{
    Sink, SinkError,
    database::{
        Audit, DatabaseError, Reader,
        postgres::{PostgresReader, PostgresSettings, PostgresSink},
        sqlite::{SqliteReader, SqliteSettings, SqliteSink},
    },
};
use tokio::{runtime::Handle, task::JoinError};

use super::{Location, sink::DatabaseSink};

const FILE: &str = "orders.sqlite";

/// A database: to write, and to read.
pub struct Database {
    /// The writing side, for the driver.
    pub sink: Box<dyn Sink>,
    /// The reading side, for the API.
    pub reader: Arc<dyn Reader>,
}

/// Opens the database, and makes its tables first if they are not there. `health` is told how it is from then on.
pub async fn open(location: &Location, data: PathBuf, health: Part) -> Result<Database> {
    let file = data.join(FILE);
    let sink = Box::new(DatabaseSink::new(location, data, health).await?);
    let reader: Arc<dyn Reader> = match location {
        Location::DataDirectory => Arc::new(SqliteReader::open(&file, &SqliteSettings::default()).await?),
        Location::Postgres(url) => {
            Arc::new(PostgresReader::open(url.reveal(), &PostgresSettings::default())?)
        }
    };
    Ok(Database { sink, reader })
}

/// Opens the writing side, on a thread of its own that blocks: migrations cannot move between threads.
pub(super) async fn open_sink(location: Location, data: PathBuf) -> Result<Box<dyn Sink>, SinkError> {
    let handle = Handle::current();
    let opened = tokio::task::spawn_blocking(move || handle.block_on(open_here(&location, &data))).await;
    let panicked = |error: JoinError| SinkError::Stop { operation: "open the database", source: error.into() };
    Ok(opened.map_err(panicked)??)
}

async fn open_here(location: &Location, data: &Path) -> Result<Box<dyn Sink>, DatabaseError> {
    match location {
        Location::DataDirectory => {
            let sink = SqliteSink::open(&data.join(FILE), &SqliteSettings::default()).await?;
            Ok(Box::new(sink))
        }
        Location::Postgres(url) => {
            let sink = PostgresSink::open(url.reveal(), &PostgresSettings::default()).await?;
            Ok(Box::new(sink))
        }
    }
}

/// Opens the database of a stopped server to compare it with the log; `None` if it was never made.
pub async fn open_audit(location: &Location, data: &Path) -> Result<Option<Box<dyn Audit>>> {
    let path = data.join(FILE);
    match location {
        Location::DataDirectory if !path.exists() => Ok(None),
        Location::DataDirectory => {
            Ok(Some(Box::new(SqliteReader::open(&path, &SqliteSettings::default()).await?)))
        }
        Location::Postgres(url) => {
            let reader = PostgresReader::open(url.reveal(), &PostgresSettings::default())?;
            Ok(Some(Box::new(reader)))
        }
    }
}
