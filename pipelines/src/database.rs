//! Which database: for now SQLite in the data directory. Another one gets its place here.

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result};
use orderflow_sinks::{
    Sink,
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
