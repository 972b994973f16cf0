//! Measures the database sink: `cargo run --release -p orderflow-sinks --example apply [DIRECTORY]`.
//!
//! Applies 50,000 orders as they are placed and reserved and prints how many rows a second that comes to, for
//! several sizes of batches, into a database under the directory (or the system's place for temporary files).

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use std::{error::Error, path::Path, sync::Arc, time::Instant};

use orderflow_schemas::{
    Actor, Amount, CustomerId, Header, Levels, Offset, Order, OrderEvent, OrderId, OrderLine, Source,
    StockEvent, Timestamp, Topic, TopicPartition,
    envelope::Cause,
    events::{Change, Movement, OrderChanged, StockReserved},
};
use orderflow_sinks::{
    Checkpoint, Event, EventBatch, EventRecord, Mark, Sink,
    database::sqlite::{SqliteSettings, SqliteSink},
};

const ORDERS: u64 = 50_000;
const AT: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::StockEvents, 0);

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Spreads numbers as hashes and random bits do.
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
        currency: "EUR".parse()?,
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
    })
}

fn record(at: TopicPartition, offset: u64, event: Event) -> Outcome<EventRecord> {
    let (number, offset) = (offset + 1, Offset(offset));
    let source = Source::new("example")?;
    let cause = Some(Cause { offset, source: source.clone(), number });
    let time = Timestamp::from_micros(0);
    let header = Header { source, number, time, cause, sent: Vec::new(), traceparent: None };
    Ok(EventRecord { at, offset, cause: offset, header, event })
}

fn changed(n: u64, version: u64) -> Outcome<Event> {
    let (change, status) =
        if version == 1 { (Change::Created, "CREATED") } else { (Change::Reserved, "RESERVED") };
    let event = OrderChanged {
        order: Arc::new(order(n, version, status)?),
        from: None,
        holding: Default::default(),
        due: None,
        fingerprint: None,
        reason: None,
        by: Actor::SYSTEM,
    };
    Ok(Event::Order(OrderEvent::Changed(change, event)))
}

fn reserved(n: u64) -> Outcome<Event> {
    let order = order(n, 1, "CREATED")?;
    let levels = Levels { received: 1_000_000, available: 1_000_000, ..Levels::default() };
    let lines =
        order.lines.iter().map(|line| Movement { sku: line.sku.clone(), quantity: 2, levels }).collect();
    let event = StockReserved { order_id: order.id, lines, unit_prices: vec![Amount(1299); 2] };
    Ok(Event::Stock(StockEvent::Reserved(event)))
}

/// One pass over all orders: as created, with stock, or as reserved.
fn events(version: u64) -> Outcome<Vec<EventRecord>> {
    let mut events = Vec::new();
    for n in 0..ORDERS {
        events.push(record(AT, (version - 1) * ORDERS + n, changed(n, version)?)?);
        if version == 1 {
            events.push(record(STOCK, n, reserved(n)?)?);
        }
    }
    Ok(events)
}

async fn pass(sink: &mut SqliteSink, events: &[EventRecord], size: usize) -> Outcome<f64> {
    let batches: Vec<_> =
        events.chunks(size).map(|records| EventBatch { records: records.to_vec() }).collect();
    let begun = Instant::now();
    for batch in batches {
        let mut checkpoint = Checkpoint::default();
        for record in &batch.records {
            let next = record.offset.next();
            let mark = Mark { next, number: next.0, unreadable: 0, cause: Some(record.cause) };
            checkpoint.0.insert(record.at, mark);
        }
        sink.apply(&batch, &checkpoint).await?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn measure(directory: &Path, size: usize) -> Outcome<()> {
    let directory = tempfile::tempdir_in(directory)?;
    let mut sink =
        SqliteSink::open(&directory.path().join("orderflow.db"), &SqliteSettings::default()).await?;
    let (created, updated) = (events(1)?, events(2)?);
    let created = pass(&mut sink, &created, size).await?;
    let updated = pass(&mut sink, &updated, size).await?;
    let rate = |rows: u64, seconds: f64| (rows as f64 / seconds) as u64;
    println!(
        "batches of {size:>6} events: {:>7} orders/s placed (order, history and stock), {:>7} orders/s changed, {:>7} order and history rows/s",
        rate(ORDERS, created),
        rate(ORDERS, updated),
        rate(4 * ORDERS, created + updated),
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    for size in [100, 1_000, 5_000, 20_000] {
        measure(&directory, size).await?;
    }
    Ok(())
}
