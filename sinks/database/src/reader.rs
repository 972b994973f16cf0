//! The reads of a database: the queries of the API and those of verification, the same for every database.

use std::collections::BTreeMap;

use async_trait::async_trait;
use orderflow_schemas::{
    CustomerId, IdempotencyKey, LogId, Order, OrderId, Sku, Status, Timestamp,
    lists::{Counted, Slice},
};
use orderflow_sinks::Checkpoint;

use super::{DatabaseError, HistoryEntry, ShipmentEntry, StockItem};

/// Selects orders. An empty filter selects all of them. A filter with several conditions selects the orders that meet
/// all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFilter {
    /// Only orders in this state.
    pub status: Option<Status>,
    /// Only orders of this customer.
    pub customer_id: Option<CustomerId>,
    /// Only orders of these customers, at most [`CUSTOMERS_MAX`].
    pub customer_ids: Option<Vec<CustomerId>>,
    /// Only orders placed at this time or later.
    pub from: Option<Timestamp>,
    /// Only orders placed before this time.
    pub to: Option<Timestamp>,
    /// Only orders placed under this idempotency key.
    pub idempotency_key: Option<IdempotencyKey>,
}

impl OrderFilter {
    /// The status to select, if the filter has no other condition; `None` if it has one. The database has counters for
    /// these filters: `Some(None)` selects the orders of every status.
    pub(crate) fn only_status(&self) -> Option<Option<&Status>> {
        let Self {
            status,
            customer_id: None,
            customer_ids: None,
            from: None,
            to: None,
            idempotency_key: None,
        } = self
        else {
            return None;
        };
        Some(status.as_ref())
    }
}

/// The most customers that a filter names.
pub const CUSTOMERS_MAX: usize = 100;

/// The most items that are counted of a list that has no counter: a count reads every item it counts.
pub const COUNTED_MAX: u64 = 10_000;

/// Selects SKUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Catalogue {
    /// All SKUs that were ever received or named.
    All,
    /// The SKUs with a name and a price.
    Products,
}

/// The reads of the API. Every list is bounded and has a fixed order. All methods may be called from many tasks at
/// once.
#[async_trait]
pub trait DatabaseReader: Send + Sync {
    /// The order with this id; `None` if there is none.
    async fn order(&self, id: OrderId) -> Result<Option<Order>, DatabaseError>;

    /// The orders that the filter selects, newest first: by id, descending.
    async fn orders(&self, filter: &OrderFilter, slice: &Slice<OrderId>)
    -> Result<Vec<Order>, DatabaseError>;

    /// The number of orders that the filter selects.
    async fn count_orders(&self, filter: &OrderFilter) -> Result<Counted, DatabaseError>;

    /// The changes of an order by version, ascending. The keys of the slice are versions.
    async fn history(&self, id: OrderId, slice: &Slice<u64>) -> Result<Vec<HistoryEntry>, DatabaseError>;

    /// The number of changes of an order.
    async fn count_history(&self, id: OrderId) -> Result<Counted, DatabaseError>;

    /// The last events of an order's shipment, at most `limit`, in the order in which they were reported.
    async fn shipments(&self, id: OrderId, limit: u32) -> Result<Vec<ShipmentEntry>, DatabaseError>;

    /// The levels and the product of this SKU; `None` if it is unknown.
    async fn stock(&self, sku: &Sku) -> Result<Option<StockItem>, DatabaseError>;

    /// The known ones of these SKUs, in no particular order. Takes at most as many SKUs as an order has lines.
    async fn stock_of(&self, skus: &[Sku]) -> Result<Vec<StockItem>, DatabaseError>;

    /// The selected SKUs in the order of their bytes.
    async fn stocks(&self, which: Catalogue, slice: &Slice<Sku>) -> Result<Vec<StockItem>, DatabaseError>;

    /// The number of selected SKUs.
    async fn count_stocks(&self, which: Catalogue) -> Result<Counted, DatabaseError>;

    /// Waits for the reads in progress and closes all connections. Nothing can be read afterwards.
    async fn close(&self);
}

/// The reads of verification: every row, one at a time, in the order of the keys.
#[async_trait]
pub trait DatabaseAudit: Send + Sync {
    /// The log that the rows come from; `None` if the store is not tied to a log yet.
    async fn log(&self) -> Result<Option<LogId>, DatabaseError>;

    /// The counters of orders by status, without those that are 0.
    async fn order_counts(&self) -> Result<BTreeMap<Status, u64>, DatabaseError>;

    /// The checkpoint of the stored rows.
    async fn checkpoint(&self) -> Result<Checkpoint, DatabaseError>;

    /// Visits every order, by id.
    async fn for_each_order(&self, visit: &mut (dyn FnMut(Order) + Send)) -> Result<(), DatabaseError>;

    /// Visits every change of an order, by order id and version.
    async fn for_each_history(
        &self,
        visit: &mut (dyn FnMut(HistoryEntry) + Send),
    ) -> Result<(), DatabaseError>;

    /// Visits every event of a shipment, by order id and offset.
    async fn for_each_shipment(
        &self,
        visit: &mut (dyn FnMut(ShipmentEntry) + Send),
    ) -> Result<(), DatabaseError>;

    /// Visits every SKU, in the order of the names.
    async fn for_each_stock(&self, visit: &mut (dyn FnMut(StockItem) + Send)) -> Result<(), DatabaseError>;
}
