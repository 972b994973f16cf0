//! The stores of the system, as a list: what the log's events are brought into.
//!
//! An entry has a name, which its sink, its metrics, its part of the health and its hold on the log carry; a sink, which
//! opens the store when it is first needed and survives one that is away; its progress; and a way to end its reads. What
//! readers ask of a store differs from store to store, so whoever opens one gets its reads beside the entry. What
//! `verify` compares is a list too ([`to_verify`]). Another store is another folder here.

pub mod database;
mod lazy_sink;

use std::pin::Pin;

use anyhow::Result;
use orderflow_sinks::{Progress, Sink};
use orderflow_verify::StoredContent;

pub use self::lazy_sink::{LazySink, NotOpened, OpenSink};
use crate::settings::Configuration;

/// Ends the reads of a store.
pub type EndReads = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store that is being written.
pub struct Store {
    /// Writes it.
    pub sink: Box<dyn Sink>,
    /// How far it is, for its readers.
    pub progress: Progress,
    /// Waits for what is being read and closes what reads need. Nothing is read after it.
    pub end_reads: EndReads,
}

/// The stores that a stopped system has, for verification. One that was never made is not among them.
pub async fn to_verify(configuration: &Configuration) -> Result<Vec<Box<dyn StoredContent>>> {
    let mut stores: Vec<Box<dyn StoredContent>> = Vec::new();
    stores.extend(database::to_verify(configuration).await?);
    Ok(stores)
}
