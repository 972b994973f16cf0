//! The list of stores that the log's events are written to.
//!
//! An entry has four parts. Its name is used by its sink, its metrics, its part of the health and its pin of the log.
//! Its sink opens the store when it is first needed, and survives an unavailable store. Its progress tells how far it
//! is. A future ends its reads. What readers ask differs from store to store, so the function that opens a store
//! returns its reader beside the entry. The contents that `verify` compares are a list too ([`to_verify`]). Each
//! store has its own folder here.

pub mod database;
mod lazy_sink;

use std::pin::Pin;

use anyhow::Result;
use orderflow_sinks::{Progress, Sink};
use orderflow_verify::StoredContent;

pub use self::lazy_sink::{LazySink, NotOpened, OpenSink};
use crate::settings::Configuration;

/// A future that ends the reads of a store.
pub type EndReads = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store that is written to.
pub struct OpenStore {
    /// The sink that writes to the store.
    pub sink: Box<dyn Sink>,
    /// How far the store has applied the log, for its readers.
    pub progress: Progress,
    /// Waits for reads in progress and closes what reads need. Nothing is read after it.
    pub end_reads: EndReads,
}

/// The stores of a stopped system, for verification. A store that was never created is left out.
pub async fn to_verify(configuration: &Configuration) -> Result<Vec<Box<dyn StoredContent>>> {
    let mut stores: Vec<Box<dyn StoredContent>> = Vec::new();
    stores.extend(database::to_verify(configuration).await?);
    Ok(stores)
}
