//! Events of a market for the examples: orders as they are placed, with their stock, and as they are reserved.

use std::{error::Error, sync::Arc};

use orderflow_feed::{Event, EventRecord, PartitionCheckpoint};
use orderflow_schemas::{
    Actor, Amount, CustomerId, Levels, Offset, Order, OrderEvent, OrderId, OrderLine, RecordHeader, Source,
    StockEvent, Timestamp, Topic, TopicPartition,
    envelope::Cause,
    events::{Change, Movement, OrderChanged, StockReserved},
};
use orderflow_sinks::{Checkpoint, EventBatch};

/// The number of orders.
pub const ORDERS: u64 = 50_000;
const AT: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::StockEvents, 0);

/// The result of a step of an example.
pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// Spreads numbers in the way hashes and random bits do.
fn spread(n: u64) -> u64 {
    n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
}

fn order(n: u64, version: u64, status: &str) -> Outcome<Order> {
    let micros = 1_700_000_000_000_000 + n as i64 * 20;
    let customer_id = CustomerId::new(format!("customer-{}", spread(n) % 20_000))?;
    let id = (micros as u128 / 1000) << 80 | 0x7000 << 64 | u128::from(spread(n)) << 16;
    let line = |at: u64| -> Outcome<OrderLine> {
        let sku = format!("SKU-{:04}", spread(n + at) % 1_000).parse()?;
        Ok(OrderLine { sku, quantity: 2, unit_price: Some(Amount(1299)) })
    };
    Ok(Order {
        id: OrderId::new(uuid::Uuid::from_u128(id), &customer_id),
        customer_id,
        status: status.parse()?,
        version,
        currency: Some("EUR".parse()?),
        total: Some(Amount(5196)),
        lines: vec![line(0)?, line(1)?].into(),
        channel: Some("web".into()),
        notes: None,
        fail_reason: None,
        failures: Arc::new([]),
        idempotency_key: Some(format!("key-{n}-{:x}", spread(n)).parse()?),
        placed_at: Timestamp::from_micros(micros),
        created_at: Timestamp::from_micros(micros),
        updated_at: Timestamp::from_micros(micros + version as i64),
        reserve_for: None,
        courier_id: None,
        acted_by: None,
        acted_at: None,
        returned: Arc::new([]),
    })
}

fn record(at: TopicPartition, offset: u64, event: Event) -> Outcome<Arc<EventRecord>> {
    let (number, offset) = (offset + 1, Offset(offset));
    let source = Source::new("example")?;
    let cause = Some(Cause { offset, source: source.clone(), number });
    let time = Timestamp::from_micros(0);
    let header = RecordHeader { source, number, time, cause, sent: Vec::new(), traceparent: None };
    Ok(EventRecord::of(at, offset, offset, header, event).into())
}

fn changed(n: u64, version: u64) -> Outcome<Event> {
    let (change, status) =
        if version == 1 { (Change::Created, "CREATED") } else { (Change::Reserved, "RESERVED") };
    let event = OrderChanged {
        order: Arc::new(order(n, version, status)?),
        from: None,
        holding: Default::default(),
        due: None,
        key: None,
        reason: None,
        shipment: None,
        by: Actor::SYSTEM,
    };
    Ok(Event::Order(OrderEvent::Changed(change, event)))
}

fn reserved(n: u64) -> Outcome<Event> {
    let order = order(n, 1, "CREATED")?;
    let levels = Levels { received: 1_000_000, available: 1_000_000, ..Levels::default() };
    let lines = order
        .lines
        .skus()
        .iter()
        .map(|line| Movement { sku: line.sku.clone(), quantity: 2, levels })
        .collect();
    let event = StockReserved { order_id: order.id, lines, unit_prices: vec![Amount(1299); 2] };
    Ok(Event::Stock(StockEvent::Reserved(event)))
}

/// One pass over all orders: created, with stock (`version` 1), or reserved (any other `version`).
pub fn events(version: u64) -> Outcome<Vec<Arc<EventRecord>>> {
    let mut events = Vec::new();
    for n in 0..ORDERS {
        events.push(record(AT, (version - 1) * ORDERS + n, changed(n, version)?)?);
        if version == 1 {
            events.push(record(STOCK, n, reserved(n)?)?);
        }
    }
    Ok(events)
}

/// The events in batches of `size`, each with the checkpoint after it.
pub fn batches(events: &[Arc<EventRecord>], size: usize) -> Vec<(EventBatch, Checkpoint)> {
    let batch = |records: &[Arc<EventRecord>]| {
        let mut checkpoint = Checkpoint::default();
        for record in records {
            let next = record.offset.next();
            let partition =
                PartitionCheckpoint { next, number: next.0, unreadable: 0, cause: Some(record.cause) };
            checkpoint.0.insert(record.topic_partition, partition);
        }
        (EventBatch { records: records.to_vec() }, checkpoint)
    };
    events.chunks(size).map(batch).collect()
}
