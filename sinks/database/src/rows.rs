//! Turns events into rows. Pure, and the same for every database.
//!
//! For an order or a SKU, only its last state in a batch becomes a row; the history gets every change. Rows are sorted
//! by their keys, because that is their order on disk.

use std::{collections::BTreeMap, sync::Arc};

use compact_str::CompactString;
use orderflow_feed::{Event, EventRecord};
use orderflow_schemas::{
    Actor, Amount, Currency, Levels, Offset, Order, OrderEvent, OrderId, ShipmentEvent, Sku, Status,
    StockEvent, Timestamp,
    events::{Change, Movement, OrderChanged, ProductUpdated},
};
use orderflow_sinks::{EventBatch, SinkError};
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

/// One change of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HistoryEntry {
    /// The order that changed.
    pub order_id: OrderId,
    /// The version of the order after the change, from 1.
    pub version: u64,
    /// The kind of the change.
    #[serde(rename = "type", serialize_with = "change_kind")]
    #[schemars(extend("enum" = Change::ALL.map(Change::kind)), with = "String")]
    pub change: Change,
    /// The state of the order after the change.
    pub status: Status,
    /// The state of the order before the change; null when the order was created.
    pub from: Option<Status>,
    /// The time of the change.
    pub at: Timestamp,
    /// The actor that caused the change.
    pub by: Actor,
    /// The reason for the change, in the actor's words.
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// The offset of the command that caused the change.
    pub cause: Offset,
}

fn change_kind<S: Serializer>(change: &Change, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(change.kind())
}

/// One event of a shipment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShipmentEntry {
    /// The order that was shipped.
    pub order_id: OrderId,
    /// The offset of the event that reports it. Events of an order are numbered by it, with gaps.
    pub offset: Offset,
    /// When the report arrived, by the server's clock.
    pub at: Timestamp,
    /// The actor that reported it.
    pub by: Actor,
    /// What was reported.
    #[serde(flatten)]
    pub event: ShipmentEvent,
}

/// A SKU: its levels, and its product in the catalogue if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockItem {
    /// The SKU that is counted.
    pub sku: Sku,
    /// The offset of the last stock event that changed the SKU.
    pub version: Offset,
    /// The number of units by where they are.
    pub levels: Levels,
    /// The name of the product.
    pub name: Option<CompactString>,
    /// The price of one unit in minor units of the currency.
    pub unit_price: Option<Amount>,
    /// The currency of the price.
    pub currency: Option<Currency>,
}

/// The rows that a batch leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The state of each changed order after the batch.
    pub orders: Vec<Arc<Order>>,
    /// All changes of orders in the batch.
    pub history: Vec<HistoryEntry>,
    /// All events of shipments in the batch.
    pub shipments: Vec<ShipmentEntry>,
    /// The state of each changed SKU after the batch. If the batch does not name the product, name, price and currency
    /// are absent and the stored ones stay.
    pub stock: Vec<StockItem>,
}

impl Rows {
    /// The rows of a batch. An event with a number that no integer column can hold is a dead letter.
    pub fn of(batch: &EventBatch) -> Result<Self, SinkError> {
        let mut orders: BTreeMap<OrderId, &Arc<Order>> = BTreeMap::new();
        let mut stock: BTreeMap<&Sku, StockItem> = BTreeMap::new();
        let (mut history, mut shipments) = (Vec::new(), Vec::new());
        for record in &batch.records {
            match event_of(record)? {
                Event::Order(OrderEvent::Changed(change, event)) => {
                    check_order(record, &event.order)?;
                    history.push(entry(record, *change, event));
                    let shipment = event.shipment.as_deref();
                    shipments.extend(
                        shipment.map(|event_of| shipment_entry(record, event.order.id, event_of, &event.by)),
                    );
                    let row = orders.entry(event.order.id).or_insert(&event.order);
                    if event.order.version >= row.version {
                        *row = &event.order;
                    }
                }
                Event::Order(OrderEvent::ShipmentRecorded(event)) => {
                    shipments.push(shipment_entry(record, event.order_id, &event.shipment, &event.by));
                }
                Event::Order(_) => {}
                Event::Stock(event) => apply_stock(&mut stock, record, event)?,
            }
        }
        history.sort_unstable_by_key(|entry| (entry.order_id, entry.version));
        shipments.sort_unstable_by_key(|entry: &ShipmentEntry| (entry.order_id, entry.offset));
        Ok(Self {
            orders: orders.into_values().cloned().collect(),
            history,
            shipments,
            stock: stock.into_values().collect(),
        })
    }
}

fn event_of(record: &EventRecord) -> Result<&Event, SinkError> {
    record.event().map_err(|reason| SinkError::DeadLetter {
        topic_partition: record.topic_partition,
        offset: record.offset,
        reason: reason.to_owned(),
    })
}

fn entry(record: &EventRecord, change: Change, event: &OrderChanged) -> HistoryEntry {
    HistoryEntry {
        order_id: event.order.id,
        version: event.order.version,
        change,
        status: event.order.status.clone(),
        from: event.from.clone(),
        at: event.order.updated_at,
        by: event.by.clone(),
        reason: event.reason.clone(),
        cause: record.cause,
    }
}

fn shipment_entry(
    record: &EventRecord,
    order_id: OrderId,
    event: &ShipmentEvent,
    by: &Actor,
) -> ShipmentEntry {
    let (offset, at) = (record.offset, record.header.time);
    ShipmentEntry { order_id, offset, at, by: by.clone(), event: event.clone() }
}

fn apply_stock<'a>(
    stock: &mut BTreeMap<&'a Sku, StockItem>,
    record: &EventRecord,
    event: &'a StockEvent,
) -> Result<(), SinkError> {
    match event {
        StockEvent::Received(event) | StockEvent::Adjusted(event) => {
            item(stock, record, &event.sku, event.levels).map(|_| ())
        }
        StockEvent::ProductUpdated(event) => apply_product(stock, record, event),
        StockEvent::Reserved(event) => apply_movements(stock, record, &event.lines),
        StockEvent::Released(event) => apply_movements(stock, record, &event.lines),
        StockEvent::Shipped(event) => apply_movements(stock, record, &event.lines),
        StockEvent::Returned(event) => {
            let mut lines = event.lines.iter();
            lines.try_for_each(|line| item(stock, record, &line.sku, line.levels).map(|_| ()))
        }
        StockEvent::Refused(_) | StockEvent::Rejected(_) | StockEvent::Repeated(_) => Ok(()),
    }
}

fn apply_movements<'a>(
    stock: &mut BTreeMap<&'a Sku, StockItem>,
    record: &EventRecord,
    lines: &'a [Movement],
) -> Result<(), SinkError> {
    for line in lines {
        item(stock, record, &line.sku, line.levels)?;
    }
    Ok(())
}

fn apply_product<'a>(
    stock: &mut BTreeMap<&'a Sku, StockItem>,
    record: &EventRecord,
    event: &'a ProductUpdated,
) -> Result<(), SinkError> {
    storable(record, event.unit_price.0)?;
    let row = item(stock, record, &event.sku, event.levels)?;
    row.name = Some(event.name.clone());
    row.unit_price = Some(event.unit_price);
    row.currency = Some(event.currency);
    Ok(())
}

/// The row of a SKU, with the levels and the version of this event.
fn item<'a, 'b>(
    stock: &'b mut BTreeMap<&'a Sku, StockItem>,
    record: &EventRecord,
    sku: &'a Sku,
    levels: Levels,
) -> Result<&'b mut StockItem, SinkError> {
    let Levels { received, available, reserved, shipped, written_off } = levels;
    for count in [received, available, reserved, shipped, written_off] {
        storable(record, count)?;
    }
    let version = record.offset;
    let row = stock.entry(sku).or_insert_with(|| StockItem {
        sku: sku.clone(),
        version,
        levels,
        name: None,
        unit_price: None,
        currency: None,
    });
    row.version = version;
    row.levels = levels;
    Ok(row)
}

fn check_order(record: &EventRecord, order: &Order) -> Result<(), SinkError> {
    storable(record, order.version)?;
    storable(record, order.total.unwrap_or_default().0)
}

/// Checks that a column can hold the number. Databases have signed 64-bit integers; no number that this program writes
/// comes near their limit.
fn storable(record: &EventRecord, number: u64) -> Result<(), SinkError> {
    if i64::try_from(number).is_ok() {
        return Ok(());
    }
    let reason = format!("{number} is larger than a database can hold");
    Err(SinkError::DeadLetter { topic_partition: record.topic_partition, offset: record.offset, reason })
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
