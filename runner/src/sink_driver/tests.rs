//! The driver over a log and a sink in memory: repeats, gaps, retries, dead letters.

use std::{sync::Mutex, time::Duration};

use async_trait::async_trait;
use orderflow_feed::Settings as FeedSettings;
use orderflow_schemas::{
    Header, Offset, OrderEvent, Position, Record, Source, Timestamp, envelope::Cause, events::Ticked,
};
use orderflow_topics::{
    Rejection,
    memory::{Fault, MemoryTopics},
};
use orderflow_world::TokioWorld;

use super::*;

const EVENTS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
const LETTERS: TopicPartition = TopicPartition::new(Topic::DeadLetters, 0);

#[derive(Default)]
struct Stored {
    numbers: Vec<u64>,
    batches: Vec<usize>,
    checkpoint: Checkpoint,
    faults: Vec<SinkError>,
}

/// A sink that remembers the numbers of the events it was given.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Stored>>);

#[async_trait]
impl Sink for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        Ok(self.0.lock().unwrap().checkpoint.clone())
    }

    async fn apply(&mut self, batch: &EventBatch, checkpoint: &Checkpoint) -> Result<(), SinkError> {
        let mut stored = self.0.lock().unwrap();
        if let Some(fault) = stored.faults.pop() {
            return Err(fault);
        }
        stored.numbers.extend(batch.records.iter().map(|record| record.header.number));
        stored.batches.push(batch.records.len());
        stored.checkpoint = checkpoint.clone();
        Ok(())
    }
}

fn event(number: u64) -> Bytes {
    let source = Source::processor(TopicPartition::new(Topic::OrdersCommands, 0));
    let time = Timestamp::from_micros(1);
    let cause = Some(Cause { offset: Offset(number), source: source.clone(), number });
    let header = Header { source, number, time, cause, sent: vec![], traceparent: None };
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
        Self { log, sink: Memory::default(), progress, stop: CancellationToken::new() }
    }

    async fn drive(&self) -> Result<(), SinkDriverError> {
        let settings = SinkDriverSettings { records_max: 4, ..SinkDriverSettings::default() };
        let (sink, progress) = (Box::new(self.sink.clone()), self.progress.clone());
        let topics: Arc<dyn Topics> = self.log.clone();
        let feed = Feed::new(&topics, FeedSettings::default());
        let driver = SinkDriver::new(TokioWorld::new(), topics, feed, sink, progress, settings);
        driver.run(self.stop.clone()).await
    }

    /// Runs until the command at this offset is shown, then stops.
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
    assert_eq!(stored.checkpoint.mark(EVENTS).next, Offset(13));
    let held: Vec<_> = run.log.holds().into_iter().filter(|(_, at, _)| *at == EVENTS).collect();
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
    let SinkDriverError::Events { source: FeedError::Gap { at, expected, found, .. }, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!((*at, *expected, *found), (EVENTS, 6, 7));
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
    run.log.fail((0..3).map(|_| Fault::Rejected(Rejection::Full("no room".into()))));
    let unstorable = SinkError::DeadLetter { at: EVENTS, offset: Offset(2), reason: "too large".into() };
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
