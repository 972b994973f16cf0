//! Tests of the read API through its router, over a database in a temporary directory. This file has the database and
//! the requests; `access.rs` tests who may read, `reads.rs` what is read.

mod access;
mod reads;

use std::sync::Arc;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use orderflow_database::sqlite::{SqliteReader, SqliteSettings, SqliteSink};
use orderflow_feed::{Event, EventRecord, PartitionCheckpoint};
use orderflow_schemas::{
    Actor, Amount, Levels, Lifecycle, Offset, Order, OrderEvent, OrderId, OrderLine, RecordHeader, Source,
    StockEvent, Timestamp, Topic, TopicPartition,
    events::{Change, OrderChanged, ProductUpdated, StockChanged},
};
use orderflow_sinks::{Checkpoint, EventBatch, Progress, Sink};
use orderflow_topics::memory::MemoryTopics;
use orderflow_web::{AuthenticateLayer, Route, TrustedHeaders};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

use crate::{Api, Health, NoNames, Status, metrics_route, routes};

const EVENTS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
const STOCK: TopicPartition = TopicPartition::new(Topic::StockEvents, 0);

const COMMANDS: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);

/// A log with one partition in each topic. `orders.commands` has three records from offset 10 on, of which two are
/// durable.
fn log() -> Arc<MemoryTopics> {
    let log = MemoryTopics::with_partitions(1);
    log.put(COMMANDS, std::iter::repeat_n(Bytes::from_static(b"gone"), 10));
    log.put(COMMANDS, [Bytes::from_static(br#"{"a":1}"#), Bytes::from_static(b"\xff")]);
    log.trim(COMMANDS, Offset(10));
    log.hold_back();
    log.put(COMMANDS, [Bytes::from_static(b"{}")]);
    log
}

fn id(n: u32) -> OrderId {
    OrderId::from_uuid(uuid::Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + u128::from(n)))
}

fn order(n: u32) -> Order {
    let line = OrderLine { sku: "A".parse().unwrap(), quantity: 2, unit_price: Some(Amount(5)) };
    Order {
        id: id(n),
        customer_id: if n.is_multiple_of(2) { "ann" } else { "bob" }.parse().unwrap(),
        status: if n < 4 { "RESERVED" } else { "CREATED" }.parse().unwrap(),
        version: 3,
        currency: Some("EUR".parse().unwrap()),
        total: Some(Amount(10)),
        lines: vec![line].into(),
        channel: None,
        notes: None,
        fail_reason: None,
        failures: Arc::new([]),
        idempotency_key: Some(format!("key-{n}").parse().unwrap()),
        placed_at: Timestamp::from_micros(1_000_000 * i64::from(n)),
        created_at: Timestamp::from_micros(0),
        updated_at: Timestamp::from_micros(1),
        reserve_for: None,
        courier_id: None,
        acted_by: None,
        acted_at: None,
        returned: Arc::default(),
    }
}

fn events() -> Vec<Event> {
    let levels = Levels { received: 7, available: 7, ..Levels::default() };
    let by = Actor::SYSTEM;
    let orders = (0..8).map(|n| {
        let changed = OrderChanged {
            order: order(n).into(),
            from: None,
            holding: Default::default(),
            due: None,
            key: None,
            reason: None,
            shipment: None,
            by: Actor::SYSTEM,
        };
        Event::Order(OrderEvent::Changed(Change::Updated, changed))
    });
    let (currency, unit_price) = ("EUR".parse().unwrap(), Amount(5));
    let sku = "A".parse().unwrap();
    let apple =
        ProductUpdated { sku, name: "Apple".into(), unit_price, currency, levels, key: None, by: by.clone() };
    let sku = "B".parse().unwrap();
    let nameless = StockChanged { sku, delta: 7, reason: None, levels, key: None, by };
    let stock = [StockEvent::ProductUpdated(apple), StockEvent::Received(nameless)];
    orders.chain(stock.into_iter().map(Event::Stock)).collect()
}

struct Fixture {
    _directory: TempDir,
    routes: Router,
    declared: Vec<Route>,
    progress: Progress,
    health: Health,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let (path, settings) = (directory.path().join("orderflow.db"), SqliteSettings::default());
    let mut sink = SqliteSink::open(&path, &settings).await.unwrap();
    let record = |(offset, event): (u64, Event)| {
        let source = Source::new("test").unwrap();
        let time = Timestamp::from_micros(0);
        let header = RecordHeader { source, number: 1, time, cause: None, sent: vec![], traceparent: None };
        let (offset, cause) = (Offset(offset), Offset(0));
        EventRecord::of(EVENTS, offset, cause, header, event).into()
    };
    let batch = EventBatch { records: (0..).zip(events()).map(record).collect() };
    sink.apply(&batch, &Checkpoint::default()).await.unwrap();
    let (progress, health) = (Progress::new([EVENTS, STOCK]), Health::default());
    let pipeline = include_str!("../../../pipelines/order-tracking.toml");
    let api = Api {
        database: Arc::new(SqliteReader::open(&path, &settings).await.unwrap()),
        progress: progress.clone(),
        topics: log(),
        lifecycle: Lifecycle::parse(pipeline).unwrap().into(),
        customers: Arc::new(NoNames),
        health: health.clone(),
        metrics: Arc::new(|| "orders 1\n".into()),
    };
    let routes = routes(api.clone()).merge(metrics_route(api));
    let declared = routes.declared().to_vec();
    let (authenticated, open) = routes.into_routers();
    let layer = AuthenticateLayer::new(Arc::new(TrustedHeaders), &declared);
    let routes = authenticated.layer(layer).merge(open);
    Fixture { _directory: directory, routes, declared, progress, health }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn ids(&self) -> Vec<String> {
        let json = self.json();
        json["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().into()).collect()
    }
}

impl Fixture {
    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.routes.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: response.into_body().collect().await.unwrap().to_bytes() }
    }

    async fn get_as(&self, who: &str, path: &str) -> Answer {
        let (role, subject) = who.split_once(':').unwrap_or((who, who));
        let request =
            Request::get(path).header("x-orderflow-role", role).header("x-orderflow-subject", subject);
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.get_as("admin", path).await
    }
}
