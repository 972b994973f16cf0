//! A store against the log: it contains what follows from the log up to its checkpoint, and nothing else.
//!
//! Retention removes the beginnings of partitions: what a store has of them is counted as unchecked, since nothing is left
//! that could tell whether it is as it should be. So is what a store has beyond the end of a log that is behind it; that it
//! is ahead is a difference of its own.

mod checkpoint;
mod database;

use anyhow::Result;
use async_trait::async_trait;
use orderflow_schemas::LogId;
use orderflow_sinks::Checkpoint;

use crate::{Report, ledger::Rows, reach::Reach, sorter::Sorted};

pub(super) use checkpoint::{compare_checkpoint, compare_log};
pub use database::DatabaseContent;

/// What a store holds, as verification sees it.
#[async_trait]
pub trait StoredContent: Send + Sync {
    /// The store's name.
    fn name(&self) -> &'static str;

    /// The log that it was filled from; none if nothing was stored yet.
    async fn log(&self) -> Result<Option<LogId>>;

    /// How far it is.
    async fn checkpoint(&self) -> Result<Checkpoint>;

    /// Compares its content with what follows from the log, and adds what differs to the report.
    async fn compare(&self, expected: Expected, report: &mut Report) -> Result<()>;
}

/// What a store must contain at its checkpoint, by the log.
pub struct Expected {
    /// All changes of orders, in the order of the orders' ids.
    pub(crate) orders: Sorted,
    /// What can be compared of orders.
    pub(crate) orders_reach: Reach,
    /// SKUs as they stand.
    pub(crate) stock: Rows,
    /// What can be compared of SKUs.
    pub(crate) stock_reach: Reach,
}
