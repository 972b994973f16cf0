//! Opening the database: to write, to read, to compare it with the log.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Result;
use orderflow_api::Part;
use orderflow_database::{
    Audit, DatabaseError, Reader,
    postgres::{PostgresReader, PostgresSettings, PostgresSink},
    sqlite::{SqliteReader, SqliteSettings, SqliteSink},
};
use orderflow_sinks::Sink;

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
        // The sink has just tried the server and the password.
        Location::Postgres(url) => {
            Arc::new(PostgresReader::unconnected(url.reveal(), &PostgresSettings::default())?)
        }
    };
    Ok(Database { sink, reader })
}

/// Opens the writing side.
pub(super) async fn open_sink(location: &Location, data: &Path) -> Result<Box<dyn Sink>, DatabaseError> {
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
pub async fn open_audit(location: &Location, data: &Path) -> Result<Option<Box<dyn Audit>>, DatabaseError> {
    let file = data.join(FILE);
    match location {
        Location::DataDirectory if !file.exists() => Ok(None),
        Location::DataDirectory => {
            let reader = SqliteReader::open(&file, &SqliteSettings::default()).await?;
            Ok(Some(Box::new(reader)))
        }
        Location::Postgres(url) => {
            let reader = PostgresReader::open(url.reveal(), &PostgresSettings::default()).await?;
            Ok(Some(Box::new(reader)))
        }
    }
}
