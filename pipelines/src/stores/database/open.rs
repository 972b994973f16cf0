//! Opening the database: to write, to read, to compare it with the log.

use std::{path::PathBuf, sync::Arc};

use async_trait::async_trait;
use orderflow_database::{
    DatabaseAudit, DatabaseError, DatabaseReader,
    postgres::{PostgresReader, PostgresSettings, PostgresSink},
    sqlite::{SqliteReader, SqliteSettings, SqliteSink},
};
use orderflow_sinks::Sink;

use super::{Location, NAME};
use crate::{
    settings::Configuration,
    stores::{NotOpened, OpenSink},
};

const FILE: &str = "orders.sqlite";

/// The location of the database and the data directory, and the settings of the database.
#[derive(Clone)]
pub(super) struct OpenDatabase {
    database_location: Location,
    data: PathBuf,
    sqlite: SqliteSettings,
    postgres: PostgresSettings,
}

impl OpenDatabase {
    pub(super) fn new(configuration: &Configuration) -> Self {
        Self {
            database_location: configuration.database_location.clone(),
            data: configuration.data.clone(),
            sqlite: configuration.sqlite,
            postgres: configuration.postgres.clone(),
        }
    }

    /// The reader for the API. Call it after the sink was opened or has found the database unavailable.
    pub(super) async fn reader(&self) -> Result<Arc<dyn DatabaseReader>, DatabaseError> {
        Ok(match &self.database_location {
            Location::DataDirectory => {
                Arc::new(SqliteReader::open(&self.data.join(FILE), &self.sqlite).await?)
            }
            // The sink has just tried the server and the password.
            Location::Postgres(url) => Arc::new(PostgresReader::unconnected(url.reveal(), &self.postgres)?),
        })
    }

    /// The database of a stopped server, to compare it with the log; `None` if it was never created.
    pub(super) async fn audit(&self) -> Result<Option<Box<dyn DatabaseAudit>>, DatabaseError> {
        let file = self.data.join(FILE);
        match &self.database_location {
            Location::DataDirectory if !file.exists() => Ok(None),
            Location::DataDirectory => {
                let reader = SqliteReader::open(&file, &self.sqlite).await?;
                Ok(Some(Box::new(reader)))
            }
            Location::Postgres(url) => {
                let reader = PostgresReader::open(url.reveal(), &self.postgres).await?;
                Ok(Some(Box::new(reader)))
            }
        }
    }

    async fn sink(&self) -> Result<Box<dyn Sink>, DatabaseError> {
        match &self.database_location {
            Location::DataDirectory => {
                let sink = SqliteSink::open(&self.data.join(FILE), &self.sqlite).await?;
                Ok(Box::new(sink))
            }
            Location::Postgres(url) => {
                let sink = PostgresSink::open(url.reveal(), &self.postgres).await?;
                Ok(Box::new(sink))
            }
        }
    }
}

#[async_trait]
impl OpenSink for OpenDatabase {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn open(&self) -> Result<Box<dyn Sink>, NotOpened> {
        self.sink().await.map_err(|error| NotOpened { is_away: error.is_away(), error: error.into() })
    }
}
