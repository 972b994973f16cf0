//! Sample batches of events for the database.

use std::sync::Arc;

use orderflow_feed::{Event, EventRecord, PartitionCheckpoint};
use orderflow_schemas::{
    Actor, Amount, CustomerId, Levels, Offset, Order, OrderEvent, OrderId, RecordHeader, Source, StockEvent,
    Timestamp, Topic, TopicPartition,
    envelope::Cause,
    events::{Change, OrderChanged, ProductUpdated},
};
use orderflow_sinks::{Checkpoint, EventBatch};
use uuid::Uuid;

const ORDERS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::StockEvents, 0);

fn changed(n: u64) -> Event {
    // Ten orders in turn; each round has the next version of each order.
    let version = n / 10 + 1;
    let order = Order {
        id: OrderId::from_uuid(Uuid::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n % 10),
        )),
        customer_id: CustomerId::new(format!("customer-{}", n % 3)).unwrap(),
        status: if version == 1 { "CREATED" } else { "RESERVED" }.parse().unwrap(),
        version,
        currency: Some("EUR".parse().unwrap()),
        total: Some(Amount(2598)),
        lines: Default::default(),
        channel: None,
        notes: Some("x".repeat(300).into()),
        fail_reason: None,
        failures: Arc::new([]),
        idempotency_key: Some(format!("key-{}", n % 10).parse().unwrap()),
        placed_at: Timestamp::from_micros(1_000),
        created_at: Timestamp::from_micros(5_000),
        updated_at: Timestamp::from_micros(5_000 + version as i64),
        reserve_for: None,
        courier_id: None,
        acted_by: None,
        acted_at: None,
        returned: Arc::default(),
    };
    let change = if version == 1 { Change::Created } else { Change::Updated };
    let event = OrderChanged {
        order: Arc::new(order),
        from: (version > 1).then(|| "CREATED".parse().unwrap()),
        key: None,
        reason: None,
        shipment: None,
        due: None,
        holding: Default::default(),
        by: Actor::SYSTEM,
    };
    Event::Order(OrderEvent::Changed(change, event))
}

fn product(n: u64) -> Event {
    Event::Stock(StockEvent::ProductUpdated(ProductUpdated {
        sku: "A".parse().unwrap(),
        name: format!("name {n}").into(),
        unit_price: Amount(500),
        currency: "EUR".parse().unwrap(),
        levels: Levels { received: n, available: n, ..Levels::default() },
        key: None,
        by: Actor::SYSTEM,
    }))
}

fn record(topic_partition: TopicPartition, n: u64, event: Event) -> Arc<EventRecord> {
    let (offset, number, source) = (Offset(n), n + 1, Source::new("clock").unwrap());
    let cause = Some(Cause { offset, source: source.clone(), number });
    let time = Timestamp::from_micros(7);
    let header = RecordHeader { source, number, time, cause, sent: Vec::new(), traceparent: None };
    EventRecord::of(topic_partition, offset, offset, header, event).into()
}

fn partition(next: u64) -> PartitionCheckpoint {
    PartitionCheckpoint {
        next: Offset(next),
        number: next,
        unreadable: 0,
        cause: next.checked_sub(1).map(Offset),
    }
}

/// The n-th batch, with four changes of orders and one of a SKU, and the checkpoint after it.
pub fn batch(n: u64) -> (EventBatch, Checkpoint) {
    let orders = (4 * n..4 * n + 4).map(|n| record(ORDERS, n, changed(n)));
    let records = orders.chain([record(STOCK, n, product(n))]).collect();
    (EventBatch { records }, checkpoint(n + 1))
}

/// The checkpoint after `batches` batches.
pub fn checkpoint(batches: u64) -> Checkpoint {
    if batches == 0 {
        return Checkpoint::default();
    }
    Checkpoint([(ORDERS, partition(4 * batches)), (STOCK, partition(batches))].into())
}
