//! The conformance suite of all databases. The checks use [`Sink`], [`DatabaseReader`] and [`DatabaseAudit`], and panic
//! at a violation.
//!
//! A database's test calls [`run`] with a [`Subject`], which opens the database over named stores. The checks wait for
//! conditions and never for time. What can go wrong only in one database is left to that database's own tests.

mod faults;
mod reads;
mod writes;

use std::collections::BTreeMap;

use async_trait::async_trait;
use orderflow_schemas::{Order, Status};
use orderflow_sinks::{Checkpoint, EventBatch, Sink};

use super::{DatabaseAudit, DatabaseError, DatabaseReader, HistoryEntry, ShipmentEntry, StockItem};

/// A database under test.
#[async_trait]
pub trait Subject: Sync {
    /// Opens a store. A name that was used before opens the same store again; a new name opens an empty one.
    async fn open(&self, store: &'static str) -> Result<Opened, DatabaseError>;

    /// Runs a statement in an existing store, over a connection of its own.
    async fn execute(&self, store: &'static str, sql: &'static str) -> Result<(), DatabaseError>;
}

/// A store that was opened, with its three interfaces.
pub struct Opened {
    /// The sink that writes the store.
    pub sink: Box<dyn Sink>,
    /// The reads of the API.
    pub reader: Box<dyn DatabaseReader>,
    /// The reads of verification, which read the whole store.
    pub audit: Box<dyn DatabaseAudit>,
}

/// Runs all checks one after the other, each over a store of its own. Panics at the first violation.
pub async fn run(subject: &dyn Subject) {
    writes::a_batch_applied_twice_is_as_if_applied_once_and_survives_reopening(subject).await;
    writes::an_older_version_never_overwrites_a_newer_one(subject).await;
    writes::batches_cut_elsewhere_come_to_the_same(subject).await;
    writes::two_sinks_at_the_same_time_do_no_harm(subject).await;
    writes::every_text_is_read_as_it_was_written(subject).await;
    writes::a_number_that_no_column_holds_is_a_dead_letter(subject).await;
    faults::a_store_of_another_log_is_refused_by_name(subject).await;
    faults::an_error_in_the_middle_leaves_neither_rows_nor_checkpoint(subject).await;
    faults::a_newer_schema_is_refused_by_name(subject).await;
    faults::a_damaged_row_is_named(subject).await;
    reads::paging_by_key_visits_each_order_once_while_others_come_in(subject).await;
    reads::filters_and_counts_agree_with_a_scan(subject).await;
    reads::totals_by_status_are_exact_however_many_there_are(subject).await;
    reads::stock_and_history_are_paged_by_their_keys(subject).await;
    reads::skus_come_in_the_order_of_their_bytes(subject).await;
}

async fn open(subject: &dyn Subject, store: &'static str) -> Opened {
    subject.open(store).await.expect("a store can be opened")
}

async fn apply(sink: &mut dyn Sink, (batch, checkpoint): &(EventBatch, Checkpoint)) {
    sink.apply(batch, checkpoint).await.expect("a batch can be applied");
}

/// The whole content of a store.
#[derive(Debug, Default, PartialEq)]
struct Content {
    orders: Vec<Order>,
    history: Vec<HistoryEntry>,
    shipments: Vec<ShipmentEntry>,
    stock: Vec<StockItem>,
    counts: BTreeMap<Status, u64>,
    checkpoint: Checkpoint,
}

fn count(orders: &[Order]) -> BTreeMap<Status, u64> {
    let mut counts = BTreeMap::new();
    for order in orders {
        *counts.entry(order.status.clone()).or_default() += 1;
    }
    counts
}

async fn content(audit: &dyn DatabaseAudit) -> Content {
    let mut content = Content::default();
    let Content { orders, history, shipments, stock, counts, checkpoint } = &mut content;
    audit.for_each_order(&mut |order| orders.push(order)).await.expect("orders can be read");
    audit.for_each_history(&mut |entry| history.push(entry)).await.expect("the history can be read");
    audit.for_each_shipment(&mut |entry| shipments.push(entry)).await.expect("shipments can be read");
    audit.for_each_stock(&mut |item| stock.push(item)).await.expect("stock can be read");
    *counts = audit.order_counts().await.expect("the counters can be read");
    assert_eq!(*counts, count(orders), "counters of orders");
    *checkpoint = audit.checkpoint().await.expect("the checkpoint can be read");
    content
}
