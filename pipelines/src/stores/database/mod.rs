//! The database: which one it is, and opening it to write, to read and to compare. It is SQLite in the data
//! directory, or Postgres. A further database is added in `open.rs`.

mod location;
mod open;
mod stored_orders;

use std::sync::Arc;

use anyhow::{Context, Result};
use orderflow_api::Part;
use orderflow_database::DatabaseReader;
use orderflow_sinks::Progress;
use orderflow_verify::{DatabaseContent, StoredContent};

use self::open::OpenDatabase;
use super::{LazySink, OpenStore};
use crate::settings::Configuration;

pub use location::{DatabaseUrl, Location};
pub use stored_orders::StoredOrders;

/// The name of the database in the list of stores.
pub const NAME: &str = "database";

/// Opens the database. Returns its entry in the list of stores, and its reader. From then on, `health` is told
/// whether the database is available.
pub async fn open(
    configuration: &Configuration,
    progress: Progress,
    health: Part,
) -> Result<(OpenStore, Arc<dyn DatabaseReader>)> {
    let opener = OpenDatabase::new(configuration);
    let sink = Box::new(LazySink::new(opener.clone(), health).await?);
    let reader = opener.reader().await?;
    let reads = reader.clone();
    let end_reads = Box::pin(async move { reads.close().await });
    Ok((OpenStore { sink, progress, end_reads }, reader))
}

/// The database of a stopped server; `None` if it was never created.
pub async fn to_verify(configuration: &Configuration) -> Result<Option<Box<dyn StoredContent>>> {
    let opener = OpenDatabase::new(configuration);
    let audit = opener.audit().await.context("the database cannot be opened")?;
    Ok(audit.map(|audit| Box::new(DatabaseContent(audit)) as Box<dyn StoredContent>))
}
