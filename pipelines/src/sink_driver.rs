//! The sink driver: the one loop that carries events from the log into a sink.
//!
//! It reads what is durable, takes each event once, applies batches in order and remembers nothing: where to go on
//! is the sink's own checkpoint. While a batch is applied the next one is read and decoded, one ahead and no more. The
//! further a sink is behind, the larger its batches, and the more versions of one order they fold into one row.
//! Guarantees: a gap or a newer record stops the sink with nothing wrong in it; a record that cannot be read or
//! stored is durable in `dead.letters` before the checkpoint passes it; the log keeps what the checkpoint has not
//! passed.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use orderflow_schemas::{Topic, TopicPartition};
use orderflow_sinks::{
    Checkpoint, DeadLetter, EventBatch, Progress, Sink, SinkError,
    intake::{Intake, IntakeError},
};
use orderflow_topics::{AppendError, Batch, Chunk, ReadError, Rejection, Topics, Visibility};
use serde::Deserialize;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

/// Records that a sink has passed, by sink.
pub const APPLIED_RECORDS: &str = "orderflow_sink_applied_records_total";
/// Records that became dead letters, by sink.
pub const DEAD_LETTERS: &str = "orderflow_sink_dead_letters_total";
/// Attempts that the store refused and that were made again, by sink.
pub const RETRIES: &str = "orderflow_sink_retries_total";
/// Records of a batch, by sink.
pub const BATCH_RECORDS: &str = "orderflow_sink_batch_records";
/// How long a batch took, by sink.
pub const APPLY_SECONDS: &str = "orderflow_sink_apply_seconds";
/// Durable records that the sink has not applied, by sink.
pub const LAG_RECORDS: &str = "orderflow_sink_lag_records";

/// How a sink is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SinkDriverSettings {
    /// Records of a batch at most. Default 20,000.
    pub records_max: usize,
    /// Bytes of a batch, about; one record more may be in it. Default 16 MiB.
    pub bytes_max: usize,
    /// Bytes read and decoded at once, about. Default 256 KiB.
    pub read_bytes: usize,
    /// The first pause after an attempt that may be made again, in milliseconds; each next is twice as long.
    /// Default 50.
    pub backoff_ms_min: u64,
    /// The longest pause, in milliseconds. Default 10,000.
    pub backoff_ms_max: u64,
}

impl Default for SinkDriverSettings {
    fn default() -> Self {
        Self {
            records_max: 20_000,
            bytes_max: 16 << 20,
            read_bytes: 256 << 10,
            backoff_ms_min: 50,
            backoff_ms_max: 10_000,
        }
    }
}

/// Why a sink stopped for good. Its store holds a consistent state and its checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum SinkDriverError {
    /// The events cannot be read on.
    #[error("sink {sink} stopped: {source}")]
    Intake {
        /// The sink's name.
        sink: &'static str,
        /// What is wrong with the events.
        source: IntakeError,
    },
    /// The log cannot be read.
    #[error("sink {sink} stopped: {source}")]
    Read {
        /// The sink's name.
        sink: &'static str,
        /// What the log said.
        source: ReadError,
    },
    /// The store cannot be written.
    #[error("sink {sink} stopped: {source}")]
    Apply {
        /// The sink's name.
        sink: &'static str,
        /// What the store said.
        source: SinkError,
    },
    /// A dead letter cannot be written, so the checkpoint cannot pass its record.
    #[error("sink {sink} stopped: a dead letter was not taken: {source}")]
    DeadLetter {
        /// The sink's name.
        sink: &'static str,
        /// What the log said.
        source: AppendError,
    },
}

/// What was read and not yet applied.
#[derive(Default)]
struct Read {
    batch: EventBatch,
    letters: Vec<DeadLetter>,
    /// How far the sink is once this is applied.
    checkpoint: Checkpoint,
    records: usize,
    bytes: usize,
    /// Durable records after these, when they were read.
    behind: u64,
}

impl Read {
    fn is_full(&self, settings: &SinkDriverSettings) -> bool {
        self.records >= settings.records_max || self.bytes >= settings.bytes_max
    }

    /// Takes the records of a chunk, as many as there is room for.
    fn take(
        &mut self,
        intake: &mut Intake,
        chunk: &Chunk,
        settings: &SinkDriverSettings,
    ) -> Result<(), IntakeError> {
        for record in &chunk.records {
            if self.is_full(settings) {
                break;
            }
            intake.take(record, &mut self.batch.records, &mut self.letters)?;
            self.records += 1;
            self.bytes += record.len();
        }
        Ok(())
    }
}

/// Whether to go on.
#[derive(PartialEq, Eq)]
enum Step {
    Applied,
    Stopped,
}

/// Carries events from the log into one sink.
pub struct SinkDriver {
    topics: Arc<dyn Topics>,
    sink: Box<dyn Sink>,
    inputs: Vec<TopicPartition>,
    progress: Progress,
    settings: SinkDriverSettings,
}

impl SinkDriver {
    /// A driver of `sink` over these partitions of events; `progress` tells others how far it is.
    pub fn new(
        topics: Arc<dyn Topics>,
        sink: Box<dyn Sink>,
        inputs: Vec<TopicPartition>,
        progress: Progress,
        settings: SinkDriverSettings,
    ) -> Self {
        Self { topics, sink, inputs, progress, settings }
    }

    /// Runs until `stop`, then finishes the batch it is applying and returns. Not to be dropped before.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), SinkDriverError> {
        let Some(checkpoint) = self.load(&stop).await? else { return Ok(()) };
        self.publish(&checkpoint);
        let reader = ReadAhead::new(&self, &checkpoint)?;
        let (sender, receiver) = mpsc::channel(1);
        // Cancelled when applying ends, for whatever reason, so that reading ends too.
        let reading = stop.child_token();
        let applying = async {
            let _ends_reading = reading.clone().drop_guard();
            self.apply_all(receiver, &stop).await
        };
        tokio::join!(reader.run(sender, reading.clone()), applying).1
    }

    async fn load(&mut self, stop: &CancellationToken) -> Result<Option<Checkpoint>, SinkDriverError> {
        let mut backoff = Backoff::new(self.sink.name(), &self.settings);
        loop {
            match self.sink.checkpoint().await {
                Ok(mut checkpoint) => {
                    for input in &self.inputs {
                        checkpoint.0.entry(*input).or_default();
                    }
                    return Ok(Some(checkpoint));
                }
                Err(error @ SinkError::Retry { .. }) => {
                    if backoff.pause(&error, stop).await == Step::Stopped {
                        return Ok(None);
                    }
                }
                Err(source) => return Err(SinkDriverError::Apply { sink: self.sink.name(), source }),
            }
        }
    }

    async fn apply_all(
        &mut self,
        mut receiver: mpsc::Receiver<Result<Read, SinkDriverError>>,
        stop: &CancellationToken,
    ) -> Result<(), SinkDriverError> {
        while let Some(read) = receiver.recv().await {
            if stop.is_cancelled() || self.settle(read?, stop).await? == Step::Stopped {
                break;
            }
        }
        Ok(())
    }

    /// Applies what was read, dead letters first, however often it takes.
    async fn settle(&mut self, mut read: Read, stop: &CancellationToken) -> Result<Step, SinkDriverError> {
        let sink = self.sink.name();
        let mut backoff = Backoff::new(sink, &self.settings);
        loop {
            if self.bury(&mut read.letters, stop).await? == Step::Stopped {
                return Ok(Step::Stopped);
            }
            let begun = Instant::now();
            match self.sink.apply(&read.batch, &read.checkpoint).await {
                Ok(()) => {
                    metrics::histogram!(APPLY_SECONDS, "sink" => sink).record(begun.elapsed().as_secs_f64());
                    break;
                }
                Err(error @ SinkError::Retry { .. }) => {
                    if backoff.pause(&error, stop).await == Step::Stopped {
                        return Ok(Step::Stopped);
                    }
                }
                Err(source) => match reject(sink, &mut read.batch, &source) {
                    Some(letter) => read.letters.push(letter),
                    None => return Err(SinkDriverError::Apply { sink, source }),
                },
            }
        }
        self.publish(&read.checkpoint);
        metrics::counter!(APPLIED_RECORDS, "sink" => sink).increment(read.records as u64);
        metrics::histogram!(BATCH_RECORDS, "sink" => sink).record(read.records as f64);
        metrics::gauge!(LAG_RECORDS, "sink" => sink).set(read.behind as f64);
        Ok(Step::Applied)
    }

    /// Makes the dead letters durable, before the checkpoint may pass what they are about.
    async fn bury(
        &mut self,
        letters: &mut Vec<DeadLetter>,
        stop: &CancellationToken,
    ) -> Result<Step, SinkDriverError> {
        let sink = self.sink.name();
        let mut backoff = Backoff::new(sink, &self.settings);
        let records: Vec<Bytes> = letters.iter().map(DeadLetter::encode).collect();
        while !letters.is_empty() {
            let batch = Batch { at: TopicPartition::new(Topic::DeadLetters, 0), records: records.clone() };
            match append_durably(self.topics.as_ref(), batch).await {
                Ok(()) => {
                    for DeadLetter { topic, partition, offset, reason, .. } in letters.drain(..) {
                        tracing::warn!(sink, %topic, %partition, %offset, %reason, "record became a dead letter");
                    }
                    metrics::counter!(DEAD_LETTERS, "sink" => sink).increment(records.len() as u64);
                }
                Err(error) if may_be_repeated(&error) => {
                    if backoff.pause(&error, stop).await == Step::Stopped {
                        return Ok(Step::Stopped);
                    }
                }
                Err(source) => return Err(SinkDriverError::DeadLetter { sink, source }),
            }
        }
        Ok(Step::Applied)
    }

    /// Tells readers and the log how far the sink is.
    fn publish(&self, checkpoint: &Checkpoint) {
        let holder = format!("sink/{}", self.sink.name());
        for input in &self.inputs {
            self.topics.hold(&holder, *input, checkpoint.mark(*input).next);
        }
        self.progress.advance(checkpoint);
    }
}

/// Takes the record that the sink cannot store out of the batch; `None` if the error is not about one of its records.
fn reject(sink: &str, batch: &mut EventBatch, error: &SinkError) -> Option<DeadLetter> {
    let SinkError::DeadLetter { at, offset, reason } = error else { return None };
    let index = batch.records.iter().position(|record| record.at == *at && record.offset == *offset)?;
    let record = batch.records.remove(index);
    Some(DeadLetter::new(&format!("sink/{sink}"), *at, *offset, reason.clone(), &record.bytes))
}

async fn append_durably(topics: &dyn Topics, batch: Batch) -> Result<(), AppendError> {
    let appended = topics.append(vec![batch]).await?;
    let durable = topics.durable(appended.receipt).await;
    durable.map_err(|error| AppendError::Unknown(error.to_string().into()))
}

/// A letter that stands twice does no harm: it says which record it is about.
fn may_be_repeated(error: &AppendError) -> bool {
    matches!(error, AppendError::Unknown(_) | AppendError::Rejected(Rejection::Full(_)))
}

/// Reads and decodes, one batch ahead.
struct ReadAhead {
    topics: Arc<dyn Topics>,
    intakes: Vec<Intake>,
    settings: SinkDriverSettings,
    sink: &'static str,
}

impl ReadAhead {
    fn new(driver: &SinkDriver, checkpoint: &Checkpoint) -> Result<Self, SinkDriverError> {
        let sink = driver.sink.name();
        let intake = |at: &TopicPartition| Intake::new(format!("sink/{sink}"), *at, checkpoint.mark(*at));
        let intakes = driver.inputs.iter().map(intake).collect::<Result<_, _>>();
        let intakes = intakes.map_err(|source| SinkDriverError::Intake { sink, source })?;
        Ok(Self { topics: driver.topics.clone(), intakes, settings: driver.settings, sink })
    }

    /// Sends batches, and at last an error, until it is told to stop or nobody takes them any more.
    async fn run(mut self, sender: mpsc::Sender<Result<Read, SinkDriverError>>, stop: CancellationToken) {
        let reading = async {
            // The place in the queue comes first: so no more than one batch is ahead.
            while let Ok(permit) = sender.reserve().await {
                let read = self.next().await;
                let failed = read.is_err();
                permit.send(read);
                if failed {
                    break;
                }
            }
        };
        stop.run_until_cancelled(reading).await;
    }

    /// Waits for records and reads a batch of them. Dropped half-way it has read nothing that anybody misses.
    async fn next(&mut self) -> Result<Read, SinkDriverError> {
        loop {
            let read = self.read().await?;
            if read.records > 0 {
                return Ok(read);
            }
            let waits = self
                .intakes
                .iter()
                .map(|intake| self.topics.wait_beyond(intake.at(), intake.mark().next, Visibility::Durable));
            let (woken, _, _) = futures_util::future::select_all(waits).await;
            woken.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
        }
    }

    /// One chunk of each partition in turn, until there is nothing more or the batch is full. What stands before an
    /// event that cannot be taken goes first, alone; the error comes again at the next call.
    async fn read(&mut self) -> Result<Read, SinkDriverError> {
        let mut read = Read::default();
        // Another partition begins each time, so that none waits for ever behind those that fill the batch.
        self.intakes.rotate_left(1);
        'reading: loop {
            let before = read.records;
            for intake in &mut self.intakes {
                let (at, from) = (intake.at(), intake.mark().next);
                let chunk = self.topics.read(at, from, self.settings.read_bytes, Visibility::Durable).await;
                let chunk = chunk.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
                match read.take(intake, &chunk, &self.settings) {
                    Ok(()) if read.is_full(&self.settings) => break 'reading,
                    Ok(()) => {}
                    Err(source) if read.records == 0 => {
                        return Err(SinkDriverError::Intake { sink: self.sink, source });
                    }
                    Err(_) => break 'reading,
                }
                // Decoding is work; let others have the thread between chunks.
                tokio::task::yield_now().await;
            }
            if read.records == before {
                break;
            }
        }
        read.checkpoint =
            Checkpoint(self.intakes.iter().map(|intake| (intake.at(), intake.mark())).collect());
        read.behind = self.behind().await?;
        Ok(read)
    }

    /// Durable records that have not been read.
    async fn behind(&self) -> Result<u64, SinkDriverError> {
        let mut behind = 0;
        for intake in &self.intakes {
            let bounds = self.topics.bounds(intake.at(), Visibility::Durable).await;
            let bounds = bounds.map_err(|source| SinkDriverError::Read { sink: self.sink, source })?;
            behind += bounds.end.0.saturating_sub(intake.mark().next.0);
        }
        Ok(behind)
    }
}

/// Pauses between attempts, each twice as long as the last, up to a bound.
struct Backoff {
    sink: &'static str,
    next: Duration,
    max: Duration,
}

impl Backoff {
    fn new(sink: &'static str, settings: &SinkDriverSettings) -> Self {
        let next = Duration::from_millis(settings.backoff_ms_min);
        Self { sink, next, max: Duration::from_millis(settings.backoff_ms_max) }
    }

    async fn pause(&mut self, error: &(dyn std::error::Error + Sync), stop: &CancellationToken) -> Step {
        tracing::warn!(sink = self.sink, %error, pause = ?self.next, "the sink tries again after a pause");
        metrics::counter!(RETRIES, "sink" => self.sink).increment(1);
        let paused = stop.run_until_cancelled(tokio::time::sleep(self.next)).await;
        self.next = (self.next * 2).min(self.max);
        if paused.is_some() { Step::Applied } else { Step::Stopped }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use orderflow_schemas::{
        Header, Offset, OrderEvent, Position, Record, Source, Timestamp, envelope::Cause, events::Ticked,
    };
    use orderflow_topics::{Appended, Durability, Receipt};
    use tokio::sync::watch;

    use super::*;

    const EVENTS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);

    /// A log in memory with one partition of events and the dead letters.
    #[derive(Default)]
    struct Log {
        events: watch::Sender<Vec<Bytes>>,
        letters: Mutex<Vec<Bytes>>,
        refusals: Mutex<usize>,
        held: Mutex<Vec<(String, Offset)>>,
    }

    #[async_trait]
    impl Topics for Log {
        async fn create(&self, _: Topic, _: u16) -> Result<(), ReadError> {
            Ok(())
        }

        fn partitions(&self, _: Topic) -> u16 {
            1
        }

        async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
            let mut refusals = self.refusals.lock().unwrap();
            if *refusals > 0 {
                *refusals -= 1;
                return Err(AppendError::Rejected(Rejection::Full("no room".into())));
            }
            for batch in batches {
                assert_eq!(batch.at, TopicPartition::new(Topic::DeadLetters, 0));
                self.letters.lock().unwrap().extend(batch.records);
            }
            Ok(Appended { offsets: vec![], receipt: Receipt(0) })
        }

        async fn durable(&self, _: Receipt) -> Result<(), ReadError> {
            Ok(())
        }

        async fn read(
            &self,
            _: TopicPartition,
            from: Offset,
            bytes_max: usize,
            _: Visibility,
        ) -> Result<Chunk, ReadError> {
            let events = self.events.borrow();
            let (mut records, mut bytes) = (Vec::new(), 0);
            for record in events.iter().skip(from.0 as usize) {
                bytes += record.len();
                if bytes > bytes_max && !records.is_empty() {
                    break;
                }
                records.push(record.clone());
            }
            Ok(Chunk { from, records, end: Offset(events.len() as u64) })
        }

        async fn bounds(
            &self,
            _: TopicPartition,
            _: Visibility,
        ) -> Result<std::ops::Range<Offset>, ReadError> {
            Ok(Offset(0)..Offset(self.events.borrow().len() as u64))
        }

        async fn wait_beyond(
            &self,
            _: TopicPartition,
            offset: Offset,
            _: Visibility,
        ) -> Result<(), ReadError> {
            let mut events = self.events.subscribe();
            let waited = events.wait_for(|events| events.len() as u64 > offset.0).await;
            waited.map(|_| ()).map_err(|error| ReadError::Unavailable(error.to_string().into()))
        }

        fn hold(&self, holder: &str, _: TopicPartition, from: Offset) {
            self.held.lock().unwrap().push((holder.into(), from));
        }

        fn atomic(&self) -> bool {
            true
        }

        fn durability(&self) -> Durability {
            Durability::LocalDisk
        }
    }

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
        log: Arc<Log>,
        sink: Memory,
        progress: Progress,
        stop: CancellationToken,
    }

    impl Run {
        fn over(events: impl IntoIterator<Item = Bytes>) -> Self {
            let log = Log { events: watch::Sender::new(events.into_iter().collect()), ..Log::default() };
            let progress = Progress::new([EVENTS]);
            Self { log: log.into(), sink: Memory::default(), progress, stop: CancellationToken::new() }
        }

        async fn drive(&self) -> Result<(), SinkDriverError> {
            let settings = SinkDriverSettings { records_max: 4, ..SinkDriverSettings::default() };
            let (sink, progress) = (Box::new(self.sink.clone()), self.progress.clone());
            let driver = SinkDriver::new(self.log.clone(), sink, vec![EVENTS], progress, settings);
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
            run.log.events.send_modify(|events| events.push(event(11)));
        };
        tokio::join!(run.until(11), more).0.unwrap();
        assert_eq!(run.numbers(), (1..=11).collect::<Vec<_>>());
        let stored = run.sink.0.lock().unwrap();
        assert!(stored.batches.iter().all(|records| *records <= 4), "{:?}", stored.batches);
        assert_eq!(stored.checkpoint.mark(EVENTS).next, Offset(13));
        let held = run.log.held.lock().unwrap();
        assert_eq!(held.first().unwrap(), &("sink/memory".to_owned(), Offset(0)));
        assert_eq!(held.last().unwrap(), &("sink/memory".to_owned(), Offset(13)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_goes_on_where_the_checkpoint_of_the_sink_is() {
        let mut run = Run::over((1..=3).map(event));
        run.until(3).await.unwrap();
        run.stop = CancellationToken::new();
        run.log.events.send_modify(|events| events.push(event(4)));
        run.until(4).await.unwrap();
        assert_eq!(run.numbers(), [1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_gap_stops_and_says_where() {
        let run = Run::over([1, 2, 3, 4, 5, 7].map(event));
        let error = run.drive().await.unwrap_err();
        let SinkDriverError::Intake { source: IntakeError::Gap { at, expected, found, .. }, .. } = &error
        else {
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
        *run.log.refusals.lock().unwrap() = 3;
        let unstorable = SinkError::DeadLetter { at: EVENTS, offset: Offset(2), reason: "too large".into() };
        run.sink.0.lock().unwrap().faults.push(unstorable);
        run.until(3).await.unwrap();
        assert_eq!(run.numbers(), [1, 3]);
        let letters = run.log.letters.lock().unwrap();
        let letters: Vec<DeadLetter> =
            letters.iter().map(|bytes| serde_json::from_slice(bytes).unwrap()).collect();
        assert_eq!(letters.iter().map(|letter| letter.offset).collect::<Vec<_>>(), [Offset(1), Offset(2)]);
        assert_eq!(letters[0].bytes.bytes().unwrap(), b"\xff"[..]);
        assert_eq!(letters[1].bytes.bytes().unwrap(), event(2));
    }
}
