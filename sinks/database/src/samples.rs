//! Events for the conformance suite of databases and for tests.

use std::sync::Arc;

use orderflow_feed::{Event, EventRecord, PartitionCheckpoint, commands_of};
use orderflow_schemas::{
    Actor, Amount, CustomerId, Levels, Offset, Order, OrderEvent, OrderId, OrderLine, RecordHeader, Source,
    StockEvent, Timestamp, Topic, TopicPartition,
    envelope::Cause,
    events::{Change, Movement, OrderChanged, ProductUpdated, StockReserved},
};
use orderflow_sinks::{Checkpoint, EventBatch};
use uuid::Uuid;

/// The partition of order events that contains the samples.
pub(crate) const ORDERS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
/// The partition of stock events that contains the samples.
pub(crate) const STOCK: TopicPartition = TopicPartition::new(Topic::StockEvents, 0);

pub(crate) fn id(n: u32) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

pub(crate) fn order(n: u32, version: u64, status: &str) -> Order {
    let line = OrderLine {
        sku: "A".parse().expect("a sample is valid"),
        quantity: 2,
        unit_price: Some(Amount(1299)),
    };
    Order {
        id: id(n),
        customer_id: CustomerId::new(format!("customer-{}", n % 3)).expect("a sample is valid"),
        status: status.parse().expect("a sample is valid"),
        version,
        currency: Some("EUR".parse().expect("a sample is valid")),
        total: Some(Amount(2598)),
        lines: vec![line].into(),
        channel: Some("web".into()),
        notes: None,
        fail_reason: None,
        failures: Arc::new([]),
        idempotency_key: Some(format!("key-{n}").parse().expect("a sample is valid")),
        placed_at: Timestamp::from_micros(1_000 * i64::from(n)),
        created_at: Timestamp::from_micros(5_000),
        updated_at: Timestamp::from_micros(5_000 + version as i64),
        reserve_for: None,
        courier_id: None,
        acted_by: None,
        acted_at: None,
        returned: Arc::default(),
    }
}

pub(crate) fn changed(order: Order) -> OrderEvent {
    let change = if order.version == 1 { Change::Created } else { Change::Updated };
    let from = (order.version > 1).then(|| "CREATED".parse().expect("a sample is valid"));
    let order = Arc::new(order);
    let event = OrderChanged {
        order,
        from,
        key: None,
        reason: Some("why".into()),
        due: None,
        holding: Default::default(),
        shipment: None,
        by: Actor::SYSTEM,
    };
    OrderEvent::Changed(change, event)
}

pub(crate) fn levels(available: u64) -> Levels {
    Levels { received: available, available, ..Levels::default() }
}

pub(crate) fn product(sku: &str, name: &str, available: u64) -> StockEvent {
    StockEvent::ProductUpdated(ProductUpdated {
        sku: sku.parse().expect("a sample is valid"),
        name: name.into(),
        unit_price: Amount(500),
        currency: "EUR".parse().expect("a sample is valid"),
        levels: levels(available),
        key: None,
        by: Actor::SYSTEM,
    })
}

pub(crate) fn reserved(sku: &str, available: u64) -> StockEvent {
    let line =
        Movement { sku: sku.parse().expect("a sample is valid"), quantity: 1, levels: levels(available) };
    StockEvent::Reserved(StockReserved { order_id: id(1), lines: vec![line], unit_prices: vec![Amount(500)] })
}

fn header(at: TopicPartition, number: u64) -> RecordHeader {
    let source = Source::new("clock").expect("a sample is valid");
    RecordHeader {
        source: Source::processor(commands_of(at).expect("a sample is valid")),
        number,
        time: Timestamp::from_micros(7),
        cause: Some(Cause { offset: Offset(number * 10), source, number }),
        sent: Vec::new(),
        traceparent: None,
    }
}

fn record(at: TopicPartition, offset: u64, event: Event) -> Arc<EventRecord> {
    let (number, offset) = (offset + 1, Offset(offset));
    let cause = Offset(number * 10);
    EventRecord::of(at, offset, cause, header(at, number), event).into()
}

/// A batch of order events and stock events, each list with the offset of its first event, and the checkpoint after the
/// batch.
pub(crate) fn batch(
    orders: (u64, Vec<OrderEvent>),
    stock: (u64, Vec<StockEvent>),
) -> (EventBatch, Checkpoint) {
    let partition = |next: u64| PartitionCheckpoint {
        next: Offset(next),
        number: next,
        unreadable: 0,
        cause: next.checked_sub(1).map(|_| Offset(next * 10)),
    };
    let mut checkpoint = Checkpoint::default();
    checkpoint.0.insert(ORDERS, partition(orders.0 + orders.1.len() as u64));
    checkpoint.0.insert(STOCK, partition(stock.0 + stock.1.len() as u64));
    let orders = (orders.0..).zip(orders.1).map(|(at, event)| record(ORDERS, at, Event::Order(event)));
    let stock = (stock.0..).zip(stock.1).map(|(at, event)| record(STOCK, at, Event::Stock(event)));
    (EventBatch { records: orders.chain(stock).collect() }, checkpoint)
}
