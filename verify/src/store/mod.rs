//! Compares a store with the log: the store contains exactly what follows from the log up to its checkpoint.
//!
//! Retention removes the beginnings of partitions. Content of a store from that time is counted as unchecked, since
//! the log has nothing to compare it with. If the log is behind the store, content beyond the end of the log is
//! unchecked too. That the store is ahead is a difference of its own.

mod checkpoint;
mod database;

use anyhow::Result;
use async_trait::async_trait;
use orderflow_schemas::LogId;
use orderflow_sinks::Checkpoint;

use crate::{Report, entry::Entry, ledger::Rows, reach::Reach, shipments::ShipmentMark, sorter::Sorted};

pub(super) use checkpoint::{compare_checkpoint, compare_log};
pub use database::DatabaseContent;

/// The content of a store, as verification needs it.
#[async_trait]
pub trait StoredContent: Send + Sync {
    /// The name of the store.
    fn name(&self) -> &'static str;

    /// The id of the log that the store was filled from; `None` if nothing was stored yet.
    async fn log(&self) -> Result<Option<LogId>>;

    /// How far the store has applied the log.
    async fn checkpoint(&self) -> Result<Checkpoint>;

    /// Compares the store's content with `expected`, and adds differences to the report.
    async fn compare(&self, expected: Expected, report: &mut Report) -> Result<()>;
}

/// The content that a store must have at its checkpoint, according to the log.
pub struct Expected {
    /// All changes of orders, sorted by order id.
    pub(crate) orders: Sorted<Entry>,
    /// All events of shipments, sorted by order id and offset.
    pub(crate) shipments: Sorted<ShipmentMark>,
    /// Which orders can be compared.
    pub(crate) orders_reach: Reach,
    /// The row of each SKU at the checkpoint.
    pub(crate) stock: Rows,
    /// Which SKUs can be compared.
    pub(crate) stock_reach: Reach,
}
