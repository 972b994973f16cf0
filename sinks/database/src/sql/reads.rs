//! [`DatabaseReader`] and [`DatabaseAudit`] for every database that can run a [`Select`].

use std::{collections::BTreeMap, time::Instant};

use async_trait::async_trait;
use orderflow_schemas::lists::{Counted, Slice, Start};
use orderflow_schemas::{LogId, Order, OrderId, Sku, Status};
use orderflow_sinks::Checkpoint;

use super::{
    Columns, Row, Select,
    clauses::{push_catalogue, push_filter, push_limit, push_order_start},
    integer,
};
use crate::{
    COUNTED_MAX, Catalogue, DatabaseAudit, DatabaseError, DatabaseReader, HistoryEntry, OrderFilter,
    ShipmentEntry, StockItem, metrics::READ_SECONDS,
};

/// The function that is called with each row. An error ends the read.
pub(crate) type Visit<'v, R> = &'v mut (dyn for<'r> FnMut(&'r R) -> Result<(), DatabaseError> + Send);

/// The statement that reads the checkpoint.
pub(crate) const CHECKPOINT: &str = "SELECT * FROM checkpoints";
/// The statement that stores the log that the rows come from, if none is stored.
pub(crate) const CLAIM: &str =
    "INSERT INTO log (only_row, id) VALUES (1, $1) ON CONFLICT (only_row) DO NOTHING";
/// The statement that reads the log that the rows come from.
pub(crate) const LOG: &str = "SELECT id FROM log";

/// The kinds of reads, as metrics and errors name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadKind {
    Order,
    Orders,
    OrderCount,
    History,
    HistoryCount,
    Shipments,
    StockItem,
    StockItems,
    Stock,
    StockCount,
}

impl ReadKind {
    /// The name of the kind in metrics.
    const fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Orders => "orders",
            Self::OrderCount => "order_count",
            Self::History => "history",
            Self::HistoryCount => "history_count",
            Self::Shipments => "shipments",
            Self::StockItem => "sku",
            Self::StockItems => "skus",
            Self::Stock => "stock",
            Self::StockCount => "stock_count",
        }
    }

    /// The name of the kind in errors.
    const fn operation(self) -> &'static str {
        match self {
            Self::Order => "read an order",
            Self::Orders => "list orders",
            Self::OrderCount => "count orders",
            Self::History => "read the history of an order",
            Self::HistoryCount => "count the history of an order",
            Self::Shipments => "read the shipment of an order",
            Self::StockItem => "read a SKU",
            Self::StockItems => "read several SKUs",
            Self::Stock => "list stock",
            Self::StockCount => "count stock",
        }
    }
}

/// A database that runs reading statements. All methods may be called from many tasks at once.
#[async_trait]
pub(crate) trait SqlDatabase: Send + Sync {
    /// The type of the rows that a statement returns.
    type Row: Row;

    /// The name of the database in metrics.
    const NAME: &'static str;

    /// Runs a statement with a bounded result, within the time limit of reads. `operation` names it in errors.
    async fn fetch(&self, select: Select, operation: &'static str) -> Result<Vec<Self::Row>, DatabaseError>;

    /// Runs a statement as [`Self::fetch`] does, and measures its duration.
    async fn read(&self, select: Select, kind: ReadKind) -> Result<Vec<Self::Row>, DatabaseError> {
        let started = Instant::now();
        let read = self.fetch(select, kind.operation()).await;
        metrics::histogram!(READ_SECONDS.name, "store" => Self::NAME, "read" => kind.name())
            .record(started.elapsed().as_secs_f64());
        read
    }

    /// Runs a statement whose result may be a whole table, without a time limit and with one row in memory at a time.
    async fn for_each_row(
        &self,
        text: &'static str,
        visit: Visit<'_, Self::Row>,
    ) -> Result<(), DatabaseError>;

    /// Waits for the reads in progress and closes all connections.
    async fn disconnect(&self);

    /// Adds an operator that compares with a list of texts, and the list.
    fn push_texts(select: &mut Select, texts: Vec<String>);
}

/// Counts the rows that a statement selects, but at most [`COUNTED_MAX`] of them: a count reads every row it counts.
async fn count<S: SqlDatabase>(
    store: &S,
    mut select: Select,
    kind: ReadKind,
) -> Result<Counted, DatabaseError> {
    select.push(" LIMIT ").bind(integer(COUNTED_MAX + 1)).push(") AS counted");
    let rows = store.read(select, kind).await?;
    let found = rows.first().map_or(Ok(0), |row| Columns { table: "the count", row }.count("n"))?;
    Ok(Counted { count: found.min(COUNTED_MAX), is_exact: found <= COUNTED_MAX })
}

/// Adds up the counters of the orders with this status, or of all orders.
async fn count_by_status<S: SqlDatabase>(
    store: &S,
    status: Option<&Status>,
) -> Result<Counted, DatabaseError> {
    let mut select =
        Select::list("SELECT CAST(coalesce(sum(count), 0) AS bigint) AS n FROM order_counts WHERE true");
    if let Some(status) = status {
        select.push(" AND status = ").bind(status.as_str());
    }
    let rows = store.read(select, ReadKind::OrderCount).await?;
    let count = rows.first().map_or(Ok(0), |row| Columns { table: "order_counts", row }.count("n"))?;
    Ok(Counted { count, is_exact: true })
}

fn order<R: Row>(row: &R) -> Result<Order, DatabaseError> {
    Columns { table: "orders", row }.order()
}

fn history_entry<R: Row>(row: &R) -> Result<HistoryEntry, DatabaseError> {
    Columns { table: "order_history", row }.history()
}

fn shipment_entry<R: Row>(row: &R) -> Result<ShipmentEntry, DatabaseError> {
    Columns { table: "shipment_events", row }.shipment()
}

fn stock_item<R: Row>(row: &R) -> Result<StockItem, DatabaseError> {
    Columns { table: "stock", row }.stock()
}

/// The checkpoint stored in these rows of `checkpoints`.
pub(crate) fn checkpoint_of<R: Row>(rows: &[R]) -> Result<Checkpoint, DatabaseError> {
    let partitions = rows.iter().map(|row| Columns { table: "checkpoints", row }.partition_checkpoint());
    partitions.collect::<Result<_, _>>().map(Checkpoint)
}

/// The log stored in these rows of `log`; `None` if there is no row.
fn log_of<R: Row>(rows: &[R]) -> Result<Option<LogId>, DatabaseError> {
    rows.first().map(|row| Columns { table: "log", row }.log_id()).transpose()
}

/// Checks that these rows of `log` name this log. The table has at most one row.
pub(crate) fn check_log<R: Row>(rows: &[R], log: &LogId) -> Result<(), DatabaseError> {
    match log_of(rows)? {
        Some(stored) if stored != *log => Err(DatabaseError::OtherLog { stored, log: log.clone() }),
        _ => Ok(()),
    }
}

#[async_trait]
impl<S: SqlDatabase> DatabaseReader for S {
    async fn close(&self) {
        self.disconnect().await;
    }

    async fn order(&self, id: OrderId) -> Result<Option<Order>, DatabaseError> {
        let mut select = Select::new("SELECT * FROM orders WHERE id = ");
        select.bind(id);
        self.read(select, ReadKind::Order).await?.first().map(order).transpose()
    }

    async fn orders(
        &self,
        filter: &OrderFilter,
        slice: &Slice<OrderId>,
    ) -> Result<Vec<Order>, DatabaseError> {
        let mut select = Select::list("SELECT * FROM orders");
        push_filter::<S>(&mut select, filter);
        push_order_start(&mut select, &slice.start, slice.limit);
        self.read(select, ReadKind::Orders).await?.iter().map(order).collect()
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<Counted, DatabaseError> {
        if let Some(status) = filter.only_status() {
            return count_by_status(self, status).await;
        }
        let mut select = Select::list("SELECT count(*) AS n FROM (SELECT 1 FROM orders");
        push_filter::<S>(&mut select, filter);
        count(self, select, ReadKind::OrderCount).await
    }

    async fn history(&self, id: OrderId, slice: &Slice<u64>) -> Result<Vec<HistoryEntry>, DatabaseError> {
        let mut select = Select::new("SELECT * FROM order_history WHERE order_id = ");
        select.bind(id);
        if let Start::After(version) = &slice.start {
            select.push(" AND version > ").bind(integer(*version));
        }
        select.push(" ORDER BY version");
        push_limit(&mut select, &slice.start, slice.limit);
        self.read(select, ReadKind::History).await?.iter().map(history_entry).collect()
    }

    async fn count_history(&self, id: OrderId) -> Result<Counted, DatabaseError> {
        let mut select =
            Select::new("SELECT count(*) AS n FROM (SELECT 1 FROM order_history WHERE order_id = ");
        select.bind(id);
        count(self, select, ReadKind::HistoryCount).await
    }

    async fn shipments(&self, id: OrderId, limit: u32) -> Result<Vec<ShipmentEntry>, DatabaseError> {
        let mut select = Select::new("SELECT * FROM shipment_events WHERE order_id = ");
        select.bind(id).push(" ORDER BY \"offset\" DESC LIMIT ").bind(i64::from(limit));
        self.read(select, ReadKind::Shipments).await?.iter().rev().map(shipment_entry).collect()
    }

    async fn stock(&self, sku: &Sku) -> Result<Option<StockItem>, DatabaseError> {
        let mut select = Select::new("SELECT * FROM stock WHERE sku = ");
        select.bind(sku.as_str());
        self.read(select, ReadKind::StockItem).await?.first().map(stock_item).transpose()
    }

    async fn stock_of(&self, skus: &[Sku]) -> Result<Vec<StockItem>, DatabaseError> {
        let mut select = Select::new("SELECT * FROM stock WHERE sku ");
        S::push_texts(&mut select, skus.iter().map(|sku| sku.as_str().to_owned()).collect());
        self.read(select, ReadKind::StockItems).await?.iter().map(stock_item).collect()
    }

    async fn stocks(&self, which: Catalogue, slice: &Slice<Sku>) -> Result<Vec<StockItem>, DatabaseError> {
        let mut select = Select::list("SELECT * FROM stock");
        push_catalogue(&mut select, which);
        if let Start::After(sku) = &slice.start {
            select.push(" AND sku > ").bind(sku.as_str());
        }
        select.push(" ORDER BY sku");
        push_limit(&mut select, &slice.start, slice.limit);
        self.read(select, ReadKind::Stock).await?.iter().map(stock_item).collect()
    }

    async fn count_stocks(&self, which: Catalogue) -> Result<Counted, DatabaseError> {
        let mut select = Select::list("SELECT count(*) AS n FROM (SELECT 1 FROM stock");
        push_catalogue(&mut select, which);
        count(self, select, ReadKind::StockCount).await
    }
}

#[async_trait]
impl<S: SqlDatabase> DatabaseAudit for S {
    async fn checkpoint(&self) -> Result<Checkpoint, DatabaseError> {
        let rows = self.fetch(Select::new(CHECKPOINT), "read the checkpoint").await?;
        checkpoint_of(&rows)
    }

    async fn log(&self) -> Result<Option<LogId>, DatabaseError> {
        log_of(&self.fetch(Select::new(LOG), "read which log it shows").await?)
    }

    async fn order_counts(&self) -> Result<BTreeMap<Status, u64>, DatabaseError> {
        let select = Select::new(
            "SELECT status, CAST(sum(count) AS bigint) AS count FROM order_counts GROUP BY status \
             HAVING sum(count) <> 0",
        );
        let rows = self.fetch(select, "read the counters of orders").await?;
        rows.iter().map(|row| Columns { table: "order_counts", row }.order_count()).collect()
    }

    async fn for_each_order(&self, visit: &mut (dyn FnMut(Order) + Send)) -> Result<(), DatabaseError> {
        let text = "SELECT * FROM orders ORDER BY id";
        self.for_each_row(text, &mut |row| order(row).map(&mut *visit)).await
    }

    async fn for_each_history(
        &self,
        visit: &mut (dyn FnMut(HistoryEntry) + Send),
    ) -> Result<(), DatabaseError> {
        let text = "SELECT * FROM order_history ORDER BY order_id, version";
        self.for_each_row(text, &mut |row| history_entry(row).map(&mut *visit)).await
    }

    async fn for_each_shipment(
        &self,
        visit: &mut (dyn FnMut(ShipmentEntry) + Send),
    ) -> Result<(), DatabaseError> {
        let text = "SELECT * FROM shipment_events ORDER BY order_id, \"offset\"";
        self.for_each_row(text, &mut |row| shipment_entry(row).map(&mut *visit)).await
    }

    async fn for_each_stock(&self, visit: &mut (dyn FnMut(StockItem) + Send)) -> Result<(), DatabaseError> {
        let text = "SELECT * FROM stock ORDER BY sku";
        self.for_each_row(text, &mut |row| stock_item(row).map(&mut *visit)).await
    }
}
