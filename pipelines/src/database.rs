//! Which database: for now SQLite in the data directory. Another one gets its place here.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use async_trait::async_trait;
use orderflow_ingest::{LookupError, OrderLookup};
use orderflow_schemas::{Order, OrderId, Position};
use orderflow_sinks::{
    Progress, Sink,
    database::{
        Audit, Reader,
        sqlite::{SqliteReader, SqliteSettings, SqliteSink},
    },
};

const FILE: &str = "orders.sqlite";

/// A database that is open: to write, and to read.
pub struct Database {
    /// The writing side, for the driver.
    pub sink: Box<dyn Sink>,
    /// The reading side, for the API.
    pub reader: Arc<dyn Reader>,
}

/// Opens the database of a data directory, and makes it first if it is not there.
pub async fn open(data: &Path) -> Result<Database> {
    let (path, settings) = (data.join(FILE), SqliteSettings::default());
    let sink = SqliteSink::open(&path, &settings).await;
    let sink = sink.with_context(|| format!("the database {} cannot be opened", path.display()))?;
    let reader = SqliteReader::open(&path, &settings).await?;
    Ok(Database { sink: Box::new(sink), reader: Arc::new(reader) })
}

/// Opens the database of a stopped server to compare it with the log; `None` if it was never made.
pub async fn open_audit(data: &Path) -> Result<Option<Box<dyn Audit>>> {
    let path = data.join(FILE);
    if !path.exists() {
        return Ok(None);
    }
    let reader = SqliteReader::open(&path, &SqliteSettings::default()).await?;
    Ok(Some(Box::new(reader)))
}

/// Finds orders that are over for the write API.
pub struct DatabaseLookup {
    /// Where they are.
    pub reader: Arc<dyn Reader>,
    /// How far the database is.
    pub progress: Progress,
}

/// How long a look-up waits for the database to get as far as the caller is.
const LOOKUP_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

#[async_trait]
impl OrderLookup for DatabaseLookup {
    async fn order(&self, id: OrderId, at_least: &Position) -> Result<Option<Order>, LookupError> {
        if !self.progress.reach(at_least, LOOKUP_WITHIN).await {
            return Err(LookupError("the database has not caught up".to_owned()));
        }
        self.reader.order(id).await.map_err(|error| LookupError(error.to_string()))
    }
}
