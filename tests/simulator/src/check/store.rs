//! Invariants 4 and 7: the store shows exactly the content that follows from the durable events up to its checkpoint.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Debug,
};

use orderflow_database::{HistoryEntry, ShipmentEntry, StockItem};
use orderflow_schemas::{
    Actor, Offset, Order, OrderEvent, OrderId, ShipmentEvent, Sku, StockEvent, Timestamp, TopicPartition,
    events::{Change, Movement, OrderChanged, ProductUpdated},
};

use super::{Checked, broken};
use crate::sqlite::Content;

#[derive(Debug)]
enum Noted {
    Order(Change, OrderChanged),
    /// A report about an order that is over.
    Shipment(OrderId, ShipmentEvent, Actor),
    Stock(StockEvent),
    Nothing,
}

/// An event that the store may not have applied yet.
#[derive(Debug)]
struct Pending {
    offset: Offset,
    cause: Offset,
    time: Timestamp,
    event: Noted,
}

/// The expected content of the store at its last checkpoint, and the events after it.
#[derive(Debug, Default)]
pub struct Store {
    shown: BTreeMap<TopicPartition, Offset>,
    causes: BTreeMap<TopicPartition, Offset>,
    pending: BTreeMap<TopicPartition, VecDeque<Pending>>,
    orders: BTreeMap<OrderId, Order>,
    history: BTreeMap<(OrderId, u64), HistoryEntry>,
    shipments: BTreeMap<(OrderId, Offset), ShipmentEntry>,
    stock: BTreeMap<Sku, StockItem>,
}

impl Store {
    /// Adds a durable event of an order.
    pub fn note_order(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        (cause, time): (Offset, Timestamp),
        event: &OrderEvent,
    ) {
        let event = match event {
            OrderEvent::Changed(change, event) => Noted::Order(*change, event.clone()),
            OrderEvent::ShipmentRecorded(event) => {
                Noted::Shipment(event.order_id, event.shipment.clone(), event.by.clone())
            }
            // Requested and declined orders among them: no reader ever sees those.
            _ => Noted::Nothing,
        };
        self.note(topic_partition, Pending { offset, cause, time, event });
    }

    /// Adds a durable event of stock.
    pub fn note_stock(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        (cause, time): (Offset, Timestamp),
        event: &StockEvent,
    ) {
        let event = Noted::Stock(event.clone());
        self.note(topic_partition, Pending { offset, cause, time, event });
    }

    fn note(&mut self, topic_partition: TopicPartition, pending: Pending) {
        self.pending.entry(topic_partition).or_default().push_back(pending);
    }

    /// Compares the content of the store. `ends` returns the durable end of each partition.
    pub fn check(&mut self, rows: &Content, ends: impl Fn(TopicPartition) -> u64) -> Checked {
        for (topic_partition, progress) in &rows.checkpoint.0 {
            let before = self.shown.insert(*topic_partition, progress.next).unwrap_or_default();
            if progress.next < before {
                return broken(format!(
                    "the store was at offset {before} of {topic_partition} and is at {}",
                    progress.next
                ));
            }
            if progress.next.0 > ends(*topic_partition) {
                return broken(format!(
                    "the store shows {topic_partition} up to {}, durable is {}",
                    progress.next,
                    ends(*topic_partition)
                ));
            }
            self.show_up_to(*topic_partition, progress.next);
            let cause = self.causes.get(topic_partition).copied();
            if progress.cause != cause {
                return broken(format!(
                    "the store is at cause {:?} of {topic_partition}, not {cause:?}",
                    progress.cause
                ));
            }
        }
        same("orders", &rows.orders, self.orders.values())?;
        same("order_history", &rows.history, self.history.values())?;
        same("shipment_events", &rows.shipments, self.shipments.values())?;
        same("stock", &rows.stock, self.stock.values())
    }

    /// Whether the store has shown all events.
    pub fn is_complete(&self) -> bool {
        self.pending.values().all(VecDeque::is_empty)
    }

    fn show_up_to(&mut self, topic_partition: TopicPartition, next: Offset) {
        while let Some(first) = self
            .pending
            .get_mut(&topic_partition)
            .and_then(|pending| pending.pop_front_if(|first| first.offset < next))
        {
            let cause = self.causes.entry(topic_partition).or_default();
            *cause = (*cause).max(first.cause);
            match first.event {
                Noted::Order(change, event) => {
                    if let Some(shipment) = &event.shipment {
                        let by = event.by.clone();
                        self.show_shipment(event.order.id, first.offset, first.time, by, shipment);
                    }
                    self.show_order(change, &event, first.cause);
                }
                Noted::Shipment(id, event, by) => {
                    self.show_shipment(id, first.offset, first.time, by, &event);
                }
                Noted::Stock(event) => self.show_stock(first.offset, &event),
                Noted::Nothing => {}
            }
        }
    }

    fn show_order(&mut self, change: Change, event: &OrderChanged, cause: Offset) {
        let order = Order::clone(&event.order);
        let entry = HistoryEntry {
            order_id: order.id,
            version: order.version,
            change,
            status: order.status.clone(),
            from: event.from.clone(),
            at: order.updated_at,
            by: event.by.clone(),
            reason: event.reason.clone(),
            cause,
        };
        self.history.insert((order.id, order.version), entry);
        self.orders.insert(order.id, order);
    }

    fn show_shipment(
        &mut self,
        order_id: OrderId,
        offset: Offset,
        at: Timestamp,
        by: Actor,
        event: &ShipmentEvent,
    ) {
        let entry = ShipmentEntry { order_id, offset, at, by, event: event.clone() };
        self.shipments.insert((order_id, offset), entry);
    }

    fn show_stock(&mut self, offset: Offset, event: &StockEvent) {
        match event {
            StockEvent::Received(event) | StockEvent::Adjusted(event) => {
                self.level(offset, &event.sku, event.levels);
            }
            StockEvent::ProductUpdated(event) => self.product(offset, event),
            StockEvent::Reserved(event) => self.levels(offset, &event.lines),
            StockEvent::Released(event) => self.levels(offset, &event.lines),
            StockEvent::Shipped(event) => self.levels(offset, &event.lines),
            StockEvent::Returned(event) => {
                for line in &event.lines {
                    self.level(offset, &line.sku, line.levels);
                }
            }
            StockEvent::Refused(_) | StockEvent::Rejected(_) | StockEvent::Repeated(_) => {}
        }
    }

    fn levels(&mut self, offset: Offset, lines: &[Movement]) {
        for line in lines {
            self.level(offset, &line.sku, line.levels);
        }
    }

    fn level(&mut self, version: Offset, sku: &Sku, levels: orderflow_schemas::Levels) -> &mut StockItem {
        let item = self.stock.entry(sku.clone()).or_insert_with(|| StockItem {
            sku: sku.clone(),
            version,
            levels,
            name: None,
            unit_price: None,
            currency: None,
        });
        (item.version, item.levels) = (version, levels);
        item
    }

    fn product(&mut self, offset: Offset, event: &ProductUpdated) {
        let item = self.level(offset, &event.sku, event.levels);
        item.name = Some(event.name.clone());
        item.unit_price = Some(event.unit_price);
        item.currency = Some(event.currency);
    }
}

fn same<'a, T: PartialEq + Debug + 'a>(
    table: &str,
    there: &'a [T],
    expected: impl ExactSizeIterator<Item = &'a T>,
) -> Checked {
    if there.len() != expected.len() {
        return broken(format!("{table} has {} rows, {} follow from the log", there.len(), expected.len()));
    }
    match there.iter().zip(expected).find(|(there, expected)| there != expected) {
        Some((there, expected)) => {
            broken(format!("{table} has {there:?}; from the log follows {expected:?}"))
        }
        None => Ok(()),
    }
}
