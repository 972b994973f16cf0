//! What can be read from the database: the queries of the API and those of verification, whatever the database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use orderflow_schemas::{
    CustomerId, IdempotencyKey, LogId, Order, OrderId, Sku, Status, Timestamp,
    lists::{Counted, Slice},
};
use orderflow_sinks::Checkpoint;

use super::{DatabaseError, HistoryEntry, StockItem};

/// Which orders. Empty means all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only those in this state.
    pub status: Option<Status>,
    /// Only this customer's.
    pub customer_id: Option<CustomerId>,
    /// Only those placed at this time or later.
    pub from: Option<Timestamp>,
    /// Only those placed before this time.
    pub to: Option<Timestamp>,
    /// Only those placed under this key.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl OrderFilter {
    /// The status asked for, if nothing else is: of these orders there are counters.
    pub(crate) fn only_status(&self) -> Option<Option<&Status>> {
        let Self { status, customer_id: None, from: None, to: None, idempotency_key: None } = self else {
            return None;
        };
        Some(status.as_ref())
    }
}

/// How far lists are counted of which there is no counter, in items: a count reads every item it counts.
pub const COUNTED_MAX: u64 = 10_000;

/// Which SKUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalogue {
    /// All that were ever received or named.
    All,
    /// Those with a name and a price.
    Products,
}

/// The reads of the API. Every list has a bound and a fixed order; all may be called at once from many tasks.
#[async_trait]
pub trait DatabaseReader: Send + Sync {
    /// An order.
    async fn order(&self, id: OrderId) -> Result<Option<Order>, DatabaseError>;

    /// Orders, newest first: by id, descending.
    async fn orders(&self, filter: &OrderFilter, slice: &Slice<OrderId>)
    -> Result<Vec<Order>, DatabaseError>;

    /// How many orders the filter lets through.
    async fn count_orders(&self, filter: &OrderFilter) -> Result<Counted, DatabaseError>;

    /// The changes of an order by version, ascending; the slice's keys are versions.
    async fn history(&self, id: OrderId, slice: &Slice<u64>) -> Result<Vec<HistoryEntry>, DatabaseError>;

    /// How many changes an order has had.
    async fn count_history(&self, id: OrderId) -> Result<Counted, DatabaseError>;

    /// A SKU.
    async fn stock(&self, sku: &Sku) -> Result<Option<StockItem>, DatabaseError>;

    /// Those of these SKUs that are known, in no order. As many as an order has lines, at most.
    async fn stock_of(&self, skus: &[Sku]) -> Result<Vec<StockItem>, DatabaseError>;

    /// SKUs in the order of their bytes.
    async fn stocks(&self, which: Catalogue, slice: &Slice<Sku>) -> Result<Vec<StockItem>, DatabaseError>;

    /// How many SKUs there are.
    async fn count_stocks(&self, which: Catalogue) -> Result<Counted, DatabaseError>;

    /// Waits for what is being read and closes all connections. Nothing is read after it.
    async fn close(&self);
}

/// The reads of verification: everything, one row at a time, in the order of the keys.
#[async_trait]
pub trait DatabaseAudit: Send + Sync {
    /// Which log the rows come from; none if nothing was stored yet.
    async fn log(&self) -> Result<Option<LogId>, DatabaseError>;

    /// The counters of orders by status, without those that are 0.
    async fn order_counts(&self) -> Result<BTreeMap<Status, u64>, DatabaseError>;

    /// How far the stored rows go.
    async fn checkpoint(&self) -> Result<Checkpoint, DatabaseError>;

    /// Every order, by id.
    async fn for_each_order(&self, visit: &mut (dyn FnMut(Order) + Send)) -> Result<(), DatabaseError>;

    /// Every change, by order and version.
    async fn for_each_history(
        &self,
        visit: &mut (dyn FnMut(HistoryEntry) + Send),
    ) -> Result<(), DatabaseError>;

    /// Every SKU, by name.
    async fn for_each_stock(&self, visit: &mut (dyn FnMut(StockItem) + Send)) -> Result<(), DatabaseError>;
}
