//! Tests of books and recovery: a decision is made once, whichever runner makes it and however often its command comes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use orderflow_processors::{OrderProcessor, orders::Orders};
use orderflow_schemas::{
    Actor, CustomerId, Lifecycle, Offset, OrderCommand, OrderEvent, OrderId, OrderLine, Partition, Record,
    RecordHeader, Role, Sku, Source, Timestamp, Topic, TopicPartition, commands::PlaceOrder, events::Change,
};
use orderflow_topics::{
    AppendRejection, Batch, EmbeddedLog, Topics, Visibility, embedded,
    memory::{Fault, MemoryTopics},
};
use orderflow_world::{TokioWorld, World};
use tokio_util::sync::CancellationToken;

use super::*;

const PARTITION: Partition = Partition(0);
const COMMANDS: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);
const EVENTS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);

fn processor(lifecycle: &str) -> OrderProcessor {
    let lifecycle = Arc::new(Lifecycle::parse(lifecycle).unwrap());
    OrderProcessor { lifecycle, stock_partitions: 2, keys_max: 100, change_keys_max: 100 }
}

fn tracking() -> OrderProcessor {
    processor(include_str!("../../../pipelines/order-tracking.toml"))
}

fn header(source: &str, number: u64) -> RecordHeader {
    RecordHeader {
        source: Source::new(source).unwrap(),
        number,
        time: Timestamp::from_micros(1_000_000 * i64::try_from(number).unwrap()),
        cause: None,
        sent: Vec::new(),
        traceparent: None,
    }
}

fn record(source: &str, number: u64, data: OrderCommand) -> Bytes {
    Record { header: header(source, number), data }.encode()
}

fn place(number: u64) -> Bytes {
    record("ingest-a", number, placing(number))
}

fn placing(number: u64) -> OrderCommand {
    let customer_id = CustomerId::new("anna").unwrap();
    let line = |sku: &str| OrderLine { sku: Sku::new(sku).unwrap(), quantity: 2, unit_price: None };
    let place = PlaceOrder {
        order_id: OrderId::new(uuid::Uuid::from_u128(u128::from(number) << 64), &customer_id),
        customer_id,
        currency: Some("EUR".parse().unwrap()),
        lines: vec![line("apples"), line("pears"), line("plums")].into(),
        channel: None,
        notes: None,
        placed_at: None,
        reserve_for: None,
        idempotency: None,
        by: Actor { role: Role::Customer, subject: "anna".into() },
    };
    OrderCommand::Place(place)
}

fn decide(book: &mut Book<Orders>, commands: &[Bytes]) -> Result<Output, BookError> {
    let (processor, mut output) = (tracking(), Output::default());
    for (offset, command) in (book.input_next.0..).map(Offset).zip(commands) {
        book.decide(&processor, PARTITION, offset, command, &mut output)?;
    }
    Ok(output)
}

#[test]
fn repeated_commands_lead_to_nothing_and_missing_ones_stop_the_book() {
    let mut book = Book::new(2);
    let output = decide(&mut book, &[place(1), place(2), place(1), place(2)]).unwrap();
    assert_eq!((output.events.len(), book.input_next), (2, Offset(4)));
    let error = decide(&mut book, &[place(4)]).unwrap_err().to_string();
    assert!(error.contains("`ingest-a` jumps to number 4, expected 3"), "{error}");
}

#[test]
fn folding_the_events_brings_back_the_very_same_book() {
    let mut decided = Book::new(2);
    let output = decide(&mut decided, &[place(1), place(2), place(3)]).unwrap();
    assert!(output.messages.iter().any(|messages| messages.len() > 1));
    let mut replayed = Book::new(2);
    for (offset, event) in (0..).map(Offset).zip(&output.events) {
        replayed.replay(&tracking(), PARTITION, offset, event).unwrap();
        replayed.replay(&tracking(), PARTITION, offset, event).unwrap();
    }
    decided.events_next = replayed.events_next;
    assert_eq!(replayed, decided);
    let next = |book: &mut Book<Orders>| decide(book, &[place(4)]).unwrap();
    let (again, first) = (next(&mut replayed), next(&mut decided));
    assert_eq!((again.events, again.messages), (first.events, first.messages));
}

#[test]
fn an_unreadable_command_is_a_dead_letter_and_an_event_so_that_recovery_counts_it() {
    let text = String::from_utf8(place(1).to_vec()).unwrap().replace("order.place", "order.juggle");
    let (mut decided, mut replayed) = (Book::new(2), Book::new(2));
    let output = decide(&mut decided, &[text.into(), place(2)]).unwrap();
    assert_eq!((output.unreadable.len(), output.events.len()), (1, 2));
    assert!(output.unreadable[0].2.contains("order.juggle"));
    for (offset, event) in (0..).map(Offset).zip(&output.events) {
        replayed.replay(&tracking(), PARTITION, offset, event).unwrap();
    }
    decided.events_next = replayed.events_next;
    assert_eq!(replayed, decided);
    decide(&mut replayed, &[place(3)]).unwrap();
}

async fn log(data: &std::path::Path) -> Arc<dyn Topics> {
    let settings = embedded::LogSettings { segment_bytes: 1 << 20, ..embedded::LogSettings::default() };
    let (log, _) = EmbeddedLog::open(data.join("log"), settings).unwrap();
    let topics: Arc<dyn Topics> = Arc::new(log);
    for topic in [Topic::OrdersCommands, Topic::OrdersEvents, Topic::StockCommands, Topic::DeadLetters] {
        let partitions = if topic == Topic::StockCommands { 2 } else { 1 };
        topics.create(topic, partitions).await.unwrap();
    }
    topics
}

/// Runs one runner, or two at once, until there is this many events. Returns all events.
async fn run(
    topics: &Arc<dyn Topics>,
    data: &std::path::Path,
    lifecycles: &[&str],
    events: u64,
) -> Vec<Bytes> {
    let (stop, mut running) = (CancellationToken::new(), tokio::task::JoinSet::new());
    for (number, lifecycle) in lifecycles.iter().enumerate() {
        let store = LocalSnapshots::new(&data.join(number.to_string()));
        let snapshots = Snapshots::new(store, topics.id(), COMMANDS);
        let runner = Runner::new(
            TokioWorld::new(),
            topics.clone(),
            processor(lifecycle),
            PARTITION,
            snapshots,
            RunnerSettings::default(),
        );
        running.spawn(runner.run(stop.clone(), || ()));
    }
    topics.wait_beyond(EVENTS, Offset(events - 1), Visibility::Durable).await.unwrap();
    stop.cancel();
    while let Some(ended) = running.join_next().await {
        ended.unwrap().unwrap();
    }
    topics.read(EVENTS, Offset(0), 1 << 20, Visibility::Durable).await.unwrap().records
}

#[tokio::test]
async fn what_was_decided_is_not_decided_again_under_new_rules() {
    let data = tempfile::tempdir().unwrap();
    let topics = log(data.path()).await;
    let (old, new) = (
        include_str!("../../../pipelines/order-tracking.toml"),
        include_str!("../../../pipelines/order-tracking.toml").replace("7days", "1m"),
    );
    topics.append(vec![Batch { topic_partition: COMMANDS, records: vec![place(1)] }]).await.unwrap();
    let before = run(&topics, data.path(), &[old], 1).await;
    std::fs::remove_dir_all(data.path().join("0")).unwrap();
    topics.append(vec![Batch { topic_partition: COMMANDS, records: vec![place(2)] }]).await.unwrap();
    let after = run(&topics, data.path(), &[&new], 2).await;
    assert_eq!(after[..1], before[..]);
    assert_eq!(after.len(), 2, "the first order was not decided again");
}

#[tokio::test]
async fn two_runners_of_one_partition_write_the_same_records_under_the_same_numbers() {
    let data = tempfile::tempdir().unwrap();
    let topics = log(data.path()).await;
    let commands = (1..=50).map(place).collect();
    topics.append(vec![Batch { topic_partition: COMMANDS, records: commands }]).await.unwrap();
    let lifecycle = include_str!("../../../pipelines/order-tracking.toml");
    let written = run(&topics, data.path(), &[lifecycle, lifecycle], 50).await;
    let mut by_number = std::collections::BTreeMap::new();
    for bytes in written {
        let number = Record::<OrderEvent>::decode(&bytes).unwrap().header.number;
        assert_eq!(by_number.entry(number).or_insert_with(|| bytes.clone()), &bytes);
    }
    assert!(by_number.into_keys().eq(1..=50));
}

#[tokio::test(start_paused = true)]
async fn while_the_log_is_full_a_snapshot_lets_it_forget_what_is_decided() {
    let data = tempfile::tempdir().unwrap();
    let log = MemoryTopics::with_partitions(2);
    let topics: Arc<dyn Topics> = log.clone();
    let snapshots = Snapshots::new(LocalSnapshots::new(data.path()), topics.id(), COMMANDS);
    let settings = RunnerSettings { snapshot_within_s: 1 << 30, ..RunnerSettings::default() };
    let (stop, world) = (CancellationToken::new(), TokioWorld::new());
    let runner = Runner::new(world, topics.clone(), tracking(), PARTITION, snapshots.clone(), settings);
    let running = tokio::spawn(runner.run(stop.clone(), || ()));
    log.put(COMMANDS, (1..=3).map(place));
    topics.wait_beyond(EVENTS, Offset(2), Visibility::Durable).await.unwrap();
    assert_eq!(snapshots.list().unwrap(), [], "none is due");

    let full = || Fault::Rejected(AppendRejection::Full("for the test".into()));
    log.fail((0..1_000).map(|_| full()));
    log.put(COMMANDS, (4..=5).map(place));
    while snapshots.list().unwrap() != [Offset(3)] {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(log.bounds(EVENTS, Visibility::Accepted).await.unwrap().end, Offset(3), "it is full still");
    let held = || {
        log.pins()
            .into_iter()
            .rfind(|(_, topic_partition, _)| *topic_partition == COMMANDS)
            .map(|(.., from)| from)
    };
    while held() != Some(Offset(3)) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    topics.wait_beyond(EVENTS, Offset(4), Visibility::Durable).await.unwrap();
    stop.cancel();
    running.await.unwrap().unwrap();
    let numbers = log
        .records(EVENTS)
        .iter()
        .map(|bytes| Record::<OrderEvent>::decode(bytes).unwrap().header.number)
        .collect::<Vec<_>>();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

/// A lifecycle whose orders end by themselves.
const SHORT_LIVED: &str = r#"
    name = "short-lived"
    initial = { state = "NEW" }
    states = { NEW = {}, GONE = { final = "canceled" } }
    transitions = [{ from = ["NEW"], to = "GONE", after = "100ms" }]
"#;

#[tokio::test(start_paused = true)]
async fn a_tick_that_a_full_log_has_refused_leaves_no_gap() {
    let data = tempfile::tempdir().unwrap();
    let log = MemoryTopics::with_partitions(2);
    let topics: Arc<dyn Topics> = log.clone();
    let snapshots = Snapshots::new(LocalSnapshots::new(data.path()), topics.id(), COMMANDS);
    let (stop, world) = (CancellationToken::new(), TokioWorld::new());
    let now = world.now();
    let runner = Runner::new(
        world,
        topics.clone(),
        processor(SHORT_LIVED),
        PARTITION,
        snapshots,
        RunnerSettings::default(),
    );
    let running = tokio::spawn(runner.run(stop.clone(), || ()));
    log.put(
        COMMANDS,
        [Record { header: RecordHeader { time: now, ..header("ingest-a", 1) }, data: placing(1) }.encode()],
    );
    topics.wait_beyond(EVENTS, Offset(0), Visibility::Durable).await.unwrap();
    // More than a tick waits for: it gives up, and is due again.
    log.fail((0..80).map(|_| Fault::Rejected(AppendRejection::Full("for the test".into()))));
    let canceled = |bytes: &Bytes| {
        let event = Record::<OrderEvent>::decode(bytes).unwrap().data;
        matches!(event, OrderEvent::Changed(Change::Canceled, _))
    };
    while !log.records(EVENTS).iter().any(canceled) {
        assert!(!running.is_finished(), "{:?}", running.await);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    running.await.unwrap().unwrap();
    assert!(log.attempts().len() > 80, "the log was full in between");
}

#[tokio::test]
async fn a_snapshot_ahead_of_the_log_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let topics = log(data.path()).await;
    let snapshots = Snapshots::new(LocalSnapshots::new(data.path()), topics.id(), COMMANDS);
    let ahead = Book::<Orders> { input_next: Offset(9), ..Book::new(2) };
    snapshots.store(Offset(9), &snapshots.encode(&ahead, 0)).unwrap();
    let error = recover(&*topics, &tracking(), PARTITION, &snapshots).await.unwrap_err().to_string();
    assert!(error.contains("orders.commands/0") && error.contains("goes to offset 9"), "{error}");
}
