//! Tests of the driver over an in-memory log and sink: repeats, gaps, retries, dead letters.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use orderflow_feed::FeedSettings;
use orderflow_schemas::{
    LogId, Offset, OrderEvent, Position, Record, RecordHeader, Source, Timestamp, envelope::Cause,
    events::Ticked,
};
use orderflow_topics::{
    AppendRejection,
    memory::{Fault, MemoryTopics},
};
use orderflow_world::TokioWorld;

use super::*;

const EVENTS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
const LETTERS: TopicPartition = TopicPartition::new(Topic::DeadLetters, 0);

struct Stored {
    /// The log that the sink is tied to, once it was claimed.
    log: Option<LogId>,
    /// The outcome that `apply` returns.
    applied: ApplyOutcome,
    numbers: Vec<u64>,
    batches: Vec<usize>,
    checkpoint: Checkpoint,
    /// What survives a crash: the length of `numbers`, and the checkpoint.
    durable: (usize, Checkpoint),
    flushes: usize,
    /// How long applying a batch takes.
    pause: Duration,
    faults: Vec<SinkError>,
}

impl Stored {
    fn make_durable(&mut self) {
        self.durable = (self.numbers.len(), self.checkpoint.clone());
    }

    fn crash(&mut self) {
        let (numbers, checkpoint) = self.durable.clone();
        self.numbers.truncate(numbers);
        self.checkpoint = checkpoint;
    }
}

/// A sink that remembers the numbers of the events it was given.
#[derive(Clone)]
struct Memory(Arc<Mutex<Stored>>);

impl Memory {
    fn new(applied: ApplyOutcome) -> Self {
        let (numbers, batches, faults) = (Vec::new(), Vec::new(), Vec::new());
        let (checkpoint, durable) = (Checkpoint::default(), (0, Checkpoint::default()));
        let pause = Duration::ZERO;
        Self(Arc::new(Mutex::new(Stored {
            log: None,
            pause,
            applied,
            numbers,
            batches,
            checkpoint,
            durable,
            flushes: 0,
            faults,
        })))
    }
}

#[async_trait]
impl Sink for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError> {
        let mut stored = self.0.lock().unwrap();
        if stored.log.get_or_insert_with(|| log.clone()) == log {
            return Ok(());
        }
        Err(SinkError::Stop { operation: "claim", source: "another log".into() })
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        Ok(self.0.lock().unwrap().durable.1.clone())
    }

    async fn apply(
        &mut self,
        batch: &EventBatch,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyOutcome, SinkError> {
        let pause = self.0.lock().unwrap().pause;
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        let mut stored = self.0.lock().unwrap();
        if let Some(fault) = stored.faults.pop() {
            return Err(fault);
        }
        stored.numbers.extend(batch.records.iter().map(|record| record.header.number));
        stored.batches.push(batch.records.len());
        stored.checkpoint = checkpoint.clone();
        if stored.applied == ApplyOutcome::Durable {
            stored.make_durable();
        }
        Ok(stored.applied)
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        let mut stored = self.0.lock().unwrap();
        if let Some(fault) = stored.faults.pop() {
            return Err(fault);
        }
        stored.flushes += 1;
        stored.make_durable();
        Ok(())
    }
}

fn event(number: u64) -> Bytes {
    let source = Source::processor(TopicPartition::new(Topic::OrdersCommands, 0));
    let time = Timestamp::from_micros(1);
    let cause = Some(Cause { offset: Offset(number), source: source.clone(), number });
    let header = RecordHeader { source, number, time, cause, sent: vec![], traceparent: None };
    Record { header, data: OrderEvent::Ticked(Ticked {}) }.encode()
}

struct Run {
    log: Arc<MemoryTopics>,
    sink: Memory,
    progress: Progress,
    stop: CancellationToken,
}

impl Run {
    fn over(events: impl IntoIterator<Item = Bytes>) -> Self {
        let log = MemoryTopics::with_partitions(1);
        log.put(EVENTS, events);
        let progress = Progress::new([EVENTS]);
        Self { log, sink: Memory::new(ApplyOutcome::Durable), progress, stop: CancellationToken::new() }
    }

    fn of_kind(applied: ApplyOutcome, events: impl IntoIterator<Item = Bytes>) -> Self {
        Self { sink: Memory::new(applied), ..Self::over(events) }
    }

    /// The offset from which the log keeps the events for the sink.
    fn held(&self) -> Offset {
        let holds = self.log.pins();
        holds
            .iter()
            .rev()
            .find(|(_, topic_partition, _)| *topic_partition == EVENTS)
            .map_or(Offset::ZERO, |(.., from)| *from)
    }

    async fn drive(&self) -> Result<(), SinkDriverError> {
        self.drive_with(8).await
    }

    /// Drives the sink with batches of up to 4 records and at most `in_flight_max` records in flight.
    async fn drive_with(&self, in_flight_max: usize) -> Result<(), SinkDriverError> {
        let settings = SinkDriverSettings { records_max: 4, in_flight_max, ..SinkDriverSettings::default() };
        let (sink, progress) = (Box::new(self.sink.clone()), self.progress.clone());
        let topics: Arc<dyn Topics> = self.log.clone();
        let feed = Feed::new(&topics, FeedSettings::default());
        let driver = SinkDriver::new(TokioWorld::new(), topics, feed, sink, progress, settings);
        driver.run(self.stop.clone()).await
    }

    /// Runs until the sink shows the command at offset `cause`, then stops.
    async fn until(&self, cause: u64) -> Result<(), SinkDriverError> {
        let position = Position::of(TopicPartition::new(Topic::OrdersCommands, 0), Offset(cause));
        let stop = async {
            assert!(self.progress.reach(&position, Duration::from_secs(3600)).await);
            self.stop.cancel();
        };
        tokio::join!(self.drive(), stop).0
    }

    fn numbers(&self) -> Vec<u64> {
        self.sink.0.lock().unwrap().numbers.clone()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_another_log_is_not_written() {
    let run = Run::over((1..=3).map(event));
    run.until(3).await.unwrap();
    let other = Run { sink: run.sink.clone(), ..Run::over((1..=9).map(event)) };
    let error = other.drive().await.unwrap_err();
    assert!(matches!(error, SinkDriverError::Apply { source: SinkError::Stop { .. }, .. }), "{error}");
    assert_eq!(run.numbers(), [1, 2, 3]);
}

fn retry() -> SinkError {
    SinkError::Retry { operation: "write", source: "busy".into() }
}

#[tokio::test(start_paused = true)]
async fn events_are_applied_once_in_bounded_batches_and_new_ones_are_waited_for() {
    let run = Run::over((1..=10).chain([9, 10]).map(event));
    let more = async {
        let position = "orders.commands:0@10".parse().unwrap();
        assert!(run.progress.reach(&position, Duration::from_secs(3600)).await);
        run.log.put(EVENTS, [event(11)]);
    };
    tokio::join!(run.until(11), more).0.unwrap();
    assert_eq!(run.numbers(), (1..=11).collect::<Vec<_>>());
    let stored = run.sink.0.lock().unwrap();
    assert!(stored.batches.iter().all(|records| *records <= 4), "{:?}", stored.batches);
    assert_eq!(stored.checkpoint.partition(EVENTS).next, Offset(13));
    let held: Vec<_> =
        run.log.pins().into_iter().filter(|(_, topic_partition, _)| *topic_partition == EVENTS).collect();
    assert_eq!(held.first().unwrap(), &("sink/memory".to_owned(), EVENTS, Offset(0)));
    assert_eq!(held.last().unwrap(), &("sink/memory".to_owned(), EVENTS, Offset(13)));
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_where_the_checkpoint_of_the_sink_is() {
    let mut run = Run::over((1..=3).map(event));
    run.until(3).await.unwrap();
    run.stop = CancellationToken::new();
    run.log.put(EVENTS, [event(4)]);
    run.until(4).await.unwrap();
    assert_eq!(run.numbers(), [1, 2, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_stops_and_says_where() {
    let run = Run::over([1, 2, 3, 4, 5, 7].map(event));
    let error = run.drive().await.unwrap_err();
    let SinkDriverError::Events { source: FeedError::Gap { topic_partition, expected, found, .. }, .. } =
        &error
    else {
        panic!("{error}")
    };
    assert_eq!((*topic_partition, *expected, *found), (EVENTS, 6, 7));
    assert_eq!(run.numbers(), [1, 2, 3, 4, 5], "what was read before the gap is applied");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_busy_is_tried_again_and_a_broken_one_stops() {
    let run = Run::over((1..=2).map(event));
    run.sink.0.lock().unwrap().faults.extend((0..20).map(|_| retry()));
    run.until(2).await.unwrap();
    assert_eq!(run.numbers(), [1, 2]);
    let broken = Run::over([event(1)]);
    let fault = SinkError::Stop { operation: "write", source: "damaged".into() };
    broken.sink.0.lock().unwrap().faults.push(fault);
    assert!(matches!(broken.drive().await, Err(SinkDriverError::Apply { .. })));
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_the_pause_of_a_store_that_is_away() {
    let run = Run::over([event(1)]);
    run.sink.0.lock().unwrap().faults.extend((0..1_000).map(|_| retry()));
    let stop = async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        run.stop.cancel();
    };
    tokio::join!(run.drive(), stop).0.unwrap();
    assert_eq!(run.numbers(), [] as [u64; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_stored_is_a_dead_letter_before_the_checkpoint_passes_it() {
    let run = Run::over([event(1), Bytes::from_static(b"\xff"), event(2), event(3)]);
    run.log.fail((0..3).map(|_| Fault::Rejected(AppendRejection::Full("no room".into()))));
    let unstorable =
        SinkError::DeadLetter { topic_partition: EVENTS, offset: Offset(2), reason: "too large".into() };
    run.sink.0.lock().unwrap().faults.push(unstorable);
    run.until(3).await.unwrap();
    assert_eq!(run.numbers(), [1, 3]);
    let letters = run.log.records(LETTERS);
    let letters: Vec<DeadLetter> =
        letters.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
    assert_eq!(letters.iter().map(|letter| letter.offset).collect::<Vec<_>>(), [Offset(1), Offset(2)]);
    assert_eq!(letters[0].bytes.bytes().unwrap(), b"\xff"[..]);
    assert_eq!(letters[1].bytes.bytes().unwrap(), event(2));
}

const KINDS: [ApplyOutcome; 3] = [ApplyOutcome::Accepted, ApplyOutcome::Visible, ApplyOutcome::Durable];

#[tokio::test(start_paused = true)]
async fn the_log_keeps_what_is_not_durable_and_readers_see_what_is_visible() {
    let shown: Position = "orders.commands:0@3".parse().unwrap();
    for kind in KINDS {
        let run = Run::of_kind(kind, (1..=3).map(event));
        let look = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            let is_shown = run.progress.reach(&shown, Duration::ZERO).await;
            assert_eq!(is_shown, kind >= ApplyOutcome::Visible, "{kind:?}");
            assert_eq!(run.held(), Offset(if kind == ApplyOutcome::Durable { 3 } else { 0 }), "{kind:?}");
            // The store is flushed a second after the first batch.
            tokio::time::sleep(Duration::from_millis(600)).await;
            assert!(run.progress.reach(&shown, Duration::ZERO).await, "{kind:?}");
            assert_eq!(run.held(), Offset(3), "{kind:?}");
            run.stop.cancel();
        };
        tokio::join!(run.drive(), look).0.unwrap();
        assert_eq!(
            run.sink.0.lock().unwrap().flushes,
            usize::from(kind != ApplyOutcome::Durable),
            "{kind:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_crash_what_was_not_durable_comes_again_and_nothing_is_missing() {
    for kind in KINDS {
        let mut run = Run::of_kind(kind, (1..=10).map(event));
        let crash = tokio::time::timeout(Duration::from_millis(500), run.drive()).await;
        assert!(crash.is_err(), "it was dropped in the middle of its work");
        run.sink.0.lock().unwrap().crash();
        run.log.put(EVENTS, [event(11)]);
        run.stop = CancellationToken::new();
        run.until(11).await.unwrap();
        assert_eq!(run.numbers(), (1..=11).collect::<Vec<_>>(), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_has_a_bound() {
    let run = Run::of_kind(ApplyOutcome::Accepted, (1..=100).map(event));
    run.until(100).await.unwrap();
    let stored = run.sink.0.lock().unwrap();
    // Batches have four records here, and eight may be in flight.
    assert!(stored.flushes >= 12, "{} flushes", stored.flushes);
    assert_eq!(stored.durable.0, 100);
}

#[tokio::test(start_paused = true)]
async fn a_store_is_flushed_in_time_also_while_batches_never_cease() {
    let run = Run::of_kind(ApplyOutcome::Accepted, (1..=400).map(event));
    run.sink.0.lock().unwrap().pause = Duration::from_millis(600);
    let look = async {
        // The bound on records in flight is far from reached.
        tokio::time::sleep(Duration::from_millis(1_900)).await;
        assert!(run.sink.0.lock().unwrap().flushes >= 1);
        run.stop.cancel();
    };
    tokio::join!(run.drive_with(1_000), look).0.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_store_that_cannot_flush_is_tried_again_and_stopping_does_not_wait_for_it() {
    let run = Run::of_kind(ApplyOutcome::Visible, (1..=3).map(event));
    let trouble = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        run.sink.0.lock().unwrap().faults.extend((0..3).map(|_| retry()));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(run.held(), Offset(3));
        run.log.put(EVENTS, [event(4)]);
        tokio::time::sleep(Duration::from_millis(100)).await;
        run.sink.0.lock().unwrap().faults.extend((0..1_000).map(|_| retry()));
        run.stop.cancel();
    };
    tokio::join!(run.drive(), trouble).0.unwrap();
    assert_eq!(run.held(), Offset(3), "what could not be made durable is kept");
}
