use std::{sync::Arc, time::Duration};

use orderflow_feed::Feed;
use orderflow_schemas::{
    Lifecycle, Order, OrderEvent, OrderId, Source, Topic, TopicPartition,
    events::{Change, OrderChanged, OrderRepeated},
};
use orderflow_topics::{Topics, memory::MemoryTopics};
use orderflow_world::{TokioWorld, World};
use serde_json::json;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Decisions,
    verdict::{Verdict, ends_waiting, order_of, verdict},
};
use crate::{appender::Refusal, settings::IngestSettings};

const COMMANDS: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);

const NO_STOCK: &str = r#"
name = "plain"
initial = { state = "NEW" }
[states]
NEW = {}
DONE = { final = "completed" }
[[transitions]]
from = ["NEW"]
to = "DONE"
by = ["admin"]
"#;

fn order(status: &str, version: u64) -> Arc<Order> {
    let order = json!({
        "id": "0190aaaa-0000-7000-8000-000000000001", "customer_id": "c", "status": status, "version": version,
        "currency": "EUR", "total": null, "lines": [], "channel": null, "notes": null, "fail_reason": null,
        "idempotency_key": null, "placed_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
    });
    Arc::new(serde_json::from_value(order).unwrap())
}

fn changed(change: Change, order: Arc<Order>) -> OrderEvent {
    let event = json!({"order": *order, "by": {"role": "admin", "subject": "a"}}).to_string();
    OrderEvent::Changed(change, serde_json::from_str::<OrderChanged>(&event).unwrap())
}

fn repeated(order: Option<Arc<Order>>) -> OrderEvent {
    let id: OrderId = "0190aaaa-0000-7000-8000-000000000001".parse().unwrap();
    OrderEvent::Repeated(OrderRepeated { requested: id, order_id: id, order, declined: None })
}

#[test]
fn the_decision_of_an_order_that_reserves_is_what_comes_after_its_creation() {
    // In this lifecycle the first state waits for stock, and an order that is reserved keeps that state.
    let lifecycle = include_str!("../../../pipelines/order-tracking.toml")
        .replace("to = \"RESERVED\"", "to = \"CREATED\"");
    let lifecycle = lifecycle.replace("RESERVED = {}\n", "").replace("\"RESERVED\"", "\"CREATED\"");
    let lifecycle = Lifecycle::parse(&lifecycle).unwrap();
    let (waiting, held) = (order("CREATED", 1), order("CREATED", 2));
    let follow = |replayed| Verdict::Follow { order: waiting.id, replayed };
    assert_eq!(verdict(&changed(Change::Created, waiting.clone()), &lifecycle), follow(false));
    assert_eq!(verdict(&repeated(Some(waiting.clone())), &lifecycle), follow(true));
    assert_eq!(verdict(&changed(Change::Reserved, held.clone()), &lifecycle), Verdict::Decided);
    assert_eq!(verdict(&repeated(Some(held)), &lifecycle), Verdict::Decided);
    assert_eq!(verdict(&repeated(None), &lifecycle), Verdict::Decided);
}

#[test]
fn the_decision_of_an_order_that_exists_once_reserved_is_its_creation_or_that_it_is_declined() {
    let lifecycle = Lifecycle::parse(include_str!("../../../pipelines/delivery.toml")).unwrap();
    let (requested, created) = (order("PENDING_SHIPMENT", 0), order("PENDING_SHIPMENT", 1));
    let event = json!({"order": *requested, "by": {"role": "admin", "subject": "a"}}).to_string();
    let event = OrderEvent::Requested(serde_json::from_str(&event).unwrap());
    let follow = |replayed| Verdict::Follow { order: requested.id, replayed };
    assert_eq!(verdict(&event, &lifecycle), follow(false));
    assert_eq!(verdict(&repeated(Some(requested.clone())), &lifecycle), follow(true));
    assert_eq!(verdict(&changed(Change::Created, created.clone()), &lifecycle), Verdict::Decided);
    assert_eq!(verdict(&repeated(Some(created)), &lifecycle), Verdict::Decided);
    assert!(ends_waiting("order.created", &lifecycle) && ends_waiting("order.declined", &lifecycle));
    assert!(!ends_waiting("order.requested", &lifecycle) && !ends_waiting("shipment.recorded", &lifecycle));
    let tracking = Lifecycle::parse(include_str!("../../../pipelines/order-tracking.toml")).unwrap();
    assert!(!ends_waiting("order.created", &tracking) && ends_waiting("order.reserved", &tracking));
    let declined = format!(r#"{{"order_id":"{}","code":"out-of-stock","failures":[]}}"#, requested.id);
    assert_eq!(order_of("order.declined", &declined), Some(requested.id));
}

#[test]
fn the_creation_of_an_order_that_reserves_nothing_is_its_decision() {
    let lifecycle = Lifecycle::parse(NO_STOCK).unwrap();
    assert_eq!(verdict(&changed(Change::Created, order("NEW", 1)), &lifecycle), Verdict::Decided);
    assert_eq!(verdict(&repeated(Some(order("NEW", 1))), &lifecycle), Verdict::Decided);
}

#[test]
fn the_id_of_an_order_is_read_without_the_rest() {
    let OrderEvent::Changed(_, event) = changed(Change::Updated, order("NEW", 1)) else { unreachable!() };
    assert_eq!(order_of("order.updated", &serde_json::to_string(&event).unwrap()), Some(event.order.id));
    assert_eq!(order_of("order.updated", r#"{"order_id":"x"}"#), None);
}

#[tokio::test]
async fn who_gives_up_is_forgotten_and_counts_no_more() {
    let topics: Arc<dyn Topics> = MemoryTopics::with_partitions(1);
    let world: Arc<dyn World> = TokioWorld::new();
    let feed = Feed::new(&topics, orderflow_feed::FeedSettings::default());
    let lifecycle = Arc::new(Lifecycle::parse(NO_STOCK).unwrap());
    let settings = IngestSettings { waiters_max: 1, ..IngestSettings::default() };
    let (stopping, tasks) = (CancellationToken::new(), TaskTracker::new());
    let decisions = Decisions::start(&world, &topics, &feed, &lifecycle, &settings, &stopping, &tasks);
    let source = Source::new("ingest-a").unwrap();

    let (sender, waiter) = decisions.open(COMMANDS).unwrap();
    assert_eq!(decisions.open(COMMANDS).err(), Some(Refusal::Overloaded));
    decisions.register(&source, 1, sender);
    assert_eq!(waiter.decision(Duration::ZERO).await, None);
    assert!(decisions.unregister(COMMANDS, &source, 1).is_none());

    // A waiter that gave up before its command was numbered is not registered at all.
    let (sender, waiter) = decisions.open(COMMANDS).unwrap();
    drop(waiter);
    decisions.register(&source, 2, sender);
    assert!(decisions.unregister(COMMANDS, &source, 2).is_none());
}
