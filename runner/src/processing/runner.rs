//! The loop of a processor: read commands, decide them, append the output, and store a snapshot from time to time.
//!
//! It reads ahead of the disk (`Visibility::Accepted`). What it appends lies after what it read in the single order of
//! the log, so nothing it derives can be durable without its cause. Two runners of one partition do no harm: they write
//! the same records under the same numbers, and readers skip repeats.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use metrics::counter;
use orderflow_processors::Processor;
use orderflow_schemas::{DeadLetter, Offset, Partition, Timestamp, Topic, TopicPartition};
use orderflow_topics::{AppendError, Appended, Batch, LogError, Receipt, Topics, Visibility};
use orderflow_world::{
    Instant, World,
    spans::{self, Span},
    until,
};
use tokio_util::sync::CancellationToken;

use super::{
    book::{Book, BookError, Output, Traced, input_and_output},
    recovery::{Recovered, RecoveryError, recover},
    settings::RunnerSettings,
    snapshot_writer::SnapshotWriter,
    snapshots::{SnapshotError, Snapshots},
    ticks::Ticks,
};
use crate::metrics::{self as names, RunnerMetrics};

/// The interval at which the gauges are set under load.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// Why a runner had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The book could not be restored.
    #[error("recovery of {0}: {1}")]
    Recovery(TopicPartition, #[source] RecoveryError),
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] LogError),
    /// The log did not accept the output of decisions.
    #[error("decisions of {0}: {1}")]
    Append(TopicPartition, #[source] AppendError),
    /// The log contains records that contradict the design.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The snapshots could not be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

/// The outcome of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum StepOutcome {
    /// Commands were decided, and their output is in the log.
    Decided,
    /// There were no commands to decide.
    Idle,
    /// Commands were decided, but the runner was told to stop before the log accepted their output.
    Stopped,
    /// Commands were decided, but the log has no space for their output.
    Full,
}

/// The outcome of an append with retries.
enum Persisted {
    /// The append was accepted.
    Appended(Appended),
    /// The runner was told to stop before the append was accepted.
    Stopped,
    /// The log had no space for too long.
    Full,
}

/// Runs a processor over one partition.
pub struct Runner<P: Processor> {
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    processor: P,
    partition: Partition,
    snapshots: SnapshotWriter<P>,
    settings: RunnerSettings,
    ticks: Ticks,
    last: Receipt,
    /// The offset of the last tick that was appended. It is not decided yet if the book has not passed it.
    ticking: Option<Offset>,
    /// The output of all commands before this offset is in the log.
    logged_at: u64,
    /// When the gauges were last set, by the monotonic clock.
    reported_at: Instant,
    metrics: RunnerMetrics,
}

impl<P: Processor> Runner<P> {
    /// A runner of `partition`. From now on the log keeps the whole partition, until the runner knows what recovery
    /// needs.
    pub fn new(
        world: Arc<dyn World>,
        topics: Arc<dyn Topics>,
        processor: P,
        partition: Partition,
        snapshots: Snapshots,
        settings: RunnerSettings,
    ) -> Self {
        Self {
            ticks: Ticks::new(&*world),
            snapshots: SnapshotWriter::new(world.clone(), topics.clone(), partition, snapshots, &settings),
            reported_at: world.instant(),
            metrics: RunnerMetrics::new(input_and_output::<P>(partition).0),
            world,
            topics,
            processor,
            partition,
            settings,
            last: Receipt(0),
            ticking: None,
            logged_at: 0,
        }
    }

    /// Recovers, then runs until `stop`, and stores a last snapshot. Calls `ready` once recovery is done.
    pub async fn run(mut self, stop: CancellationToken, ready: impl FnOnce()) -> Result<(), RunnerError> {
        self.snapshots.open()?;
        let mut book = self.recover().await?;
        ready();
        // With this snapshot, the folded events need not be folded again, and the log need not keep them.
        self.store_snapshot(&mut book).await?;
        while !stop.is_cancelled() {
            match self.step(&mut book, &stop).await? {
                StepOutcome::Decided => self.catch_up_with_time(&book, &stop).await?,
                StepOutcome::Idle => self.wait(&mut book, &stop).await?,
                StepOutcome::Full => book = self.give_way(book).await?,
                StepOutcome::Stopped => {
                    // The book is ahead of the log, so it must not become a snapshot.
                    self.snapshots.finish().await;
                    return Ok(());
                }
            }
        }
        self.finish(&mut book).await
    }

    async fn recover(&mut self) -> Result<Book<P::State>, RunnerError> {
        let (input, _) = input_and_output::<P>(self.partition);
        let recovered = recover(&*self.topics, &self.processor, self.partition, self.snapshots.kept()).await;
        let Recovered { book, snapshot_at, events_folded } =
            recovered.map_err(|error| RunnerError::Recovery(input, error))?;
        tracing::info!(%input, next = %book.input_next, events_folded, "processor recovered");
        self.snapshots.recovered_from(snapshot_at);
        self.logged_at = book.input_next.0;
        self.topics.decided(input, book.input_next);
        Ok(book)
    }

    /// Gives way in a full log: drops decisions that are not in the log, recovers, and stores a snapshot of what is in
    /// the log. The log need not keep what that snapshot covers, so retention may free space. The dropped commands are
    /// decided again, as after a restart.
    async fn give_way(&mut self, ahead: Book<P::State>) -> Result<Book<P::State>, RunnerError> {
        drop(ahead);
        self.snapshots.finish().await;
        let mut book = self.recover().await?;
        self.store_snapshot(&mut book).await?;
        self.snapshots.finish().await;
        Ok(book)
    }

    /// Reads and decides the commands that are available, up to `read_bytes`, and appends their output.
    async fn step(
        &mut self,
        book: &mut Book<P::State>,
        stop: &CancellationToken,
    ) -> Result<StepOutcome, RunnerError> {
        let (input, _) = input_and_output::<P>(self.partition);
        let bytes_max = self.settings.read_bytes;
        let chunk = self.topics.read(input, book.input_next, bytes_max, Visibility::Accepted).await?;
        if chunk.records.is_empty() {
            return Ok(StepOutcome::Idle);
        }
        let began = self.world.now();
        let mut output = Output::default();
        for (offset, record) in (chunk.from.0..).map(Offset).zip(&chunk.records) {
            book.decide(&self.processor, self.partition, offset, record, &mut output)?;
            if output.bytes >= self.settings.append_bytes
                && let Some(end) = self.append(book, std::mem::take(&mut output), began, stop).await?
            {
                return Ok(end);
            }
        }
        self.metrics.commands_decided.increment(chunk.records.len() as u64);
        if let Some(end) = self.append(book, output, began, stop).await? {
            return Ok(end);
        }
        self.topics.decided(input, book.input_next);
        if self.world.instant() - self.reported_at >= REPORT_EVERY {
            self.report_gauges(book, chunk.end);
        }
        if self.snapshots.is_due(book.input_next) {
            self.store_snapshot(book).await?;
        }
        Ok(StepOutcome::Decided)
    }

    /// Appends messages before the events that vouch for them, in one call. Returns how the step ends if the append was
    /// not accepted, `None` if it was.
    async fn append(
        &mut self,
        book: &mut Book<P::State>,
        output: Output,
        began: Timestamp,
        stop: &CancellationToken,
    ) -> Result<Option<StepOutcome>, RunnerError> {
        let (input, events) = input_and_output::<P>(self.partition);
        if output.is_empty() {
            return Ok(None);
        }
        let mut batches: Vec<Batch> = Vec::new();
        for (partition, records) in (0..).map(Partition).zip(output.messages) {
            if !records.is_empty() {
                batches.push(Batch {
                    topic_partition: TopicPartition { topic: P::MESSAGES, partition },
                    records,
                });
            }
        }
        if !output.unreadable.is_empty() {
            let count = output.unreadable.len() as u64;
            counter!(names::PROCESSOR_DEAD_LETTERS.name, "topic" => input.topic.as_str()).increment(count);
            let letters = output.unreadable.iter().map(|(offset, bytes, why)| {
                tracing::warn!(%input, %offset, why, "command cannot be read; it goes to the dead letters");
                DeadLetter::new("processor", input, *offset, why.clone(), bytes).encode()
            });
            let topic_partition = TopicPartition::new(Topic::DeadLetters, 0);
            batches.push(Batch { topic_partition, records: letters.collect() });
        }
        let vouching = !output.events.is_empty();
        if vouching {
            batches.push(Batch { topic_partition: events, records: output.events });
        }
        let count = batches.last().map_or(0, |batch| batch.records.len() as u64);
        // If a snapshot already covers everything in the log, giving way would gain nothing.
        let gives_way = !self.snapshots.covers(self.logged_at);
        let persisted = self.persist(batches, gives_way, stop).await;
        let appended = match persisted.map_err(|error| RunnerError::Append(input, error))? {
            Persisted::Appended(appended) => appended,
            Persisted::Stopped => return Ok(Some(StepOutcome::Stopped)),
            Persisted::Full => return Ok(Some(StepOutcome::Full)),
        };
        self.record_spans(output.traced, began);
        self.logged_at = book.input_next.0;
        self.last = appended.receipt;
        // At any other offset, another runner has written in between, possibly events that this runner has not decided
        // yet.
        if vouching && appended.offsets.last() == Some(&book.events_next) {
            book.events_next = Offset(book.events_next.0 + count);
        }
        Ok(None)
    }

    /// Appends until the log accepts: a full log may get space, and an append with an unknown outcome is repeated under
    /// the same numbers. Gives up when told to stop and, with `gives_way`, when the log stays full too long. What is
    /// missing then is decided again.
    async fn persist(
        &self,
        batches: Vec<Batch>,
        gives_way: bool,
        stop: &CancellationToken,
    ) -> Result<Persisted, AppendError> {
        let begun = self.world.instant();
        loop {
            match self.topics.append(batches.clone()).await {
                Ok(appended) => return Ok(Persisted::Appended(appended)),
                Err(AppendError::Rejected(why)) if why.may_pass() => {
                    tracing::warn!(%why, "processor waits for room in the log");
                    if gives_way && self.world.instant() - begun >= self.settings.full_within() {
                        return Ok(Persisted::Full);
                    }
                }
                Err(AppendError::Unknown(why)) => {
                    tracing::warn!(%why, "append repeated under the same numbers")
                }
                Err(error) => return Err(error),
            }
            if stop.run_until_cancelled(self.world.sleep(self.settings.retry_after())).await.is_none() {
                return Ok(Persisted::Stopped);
            }
        }
    }

    /// Waits for a command, or until a snapshot or a tick is due, and handles the latter two.
    async fn wait(&mut self, book: &mut Book<P::State>, stop: &CancellationToken) -> Result<(), RunnerError> {
        let (input, _) = input_and_output::<P>(self.partition);
        self.report_gauges(book, book.input_next);
        self.snapshots.note_stored();
        let due = self.processor.next_due(&book.state).filter(|_| !self.is_ticking(book));
        let tick = async {
            match due {
                Some(due) => self.world.sleep(until(&*self.world, due)).await,
                None => std::future::pending().await,
            }
        };
        let snapshot = async {
            match self.snapshots.late_in(book.input_next) {
                Some(pause) => self.world.sleep(pause).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => Ok(()),
            arrived = self.topics.wait_beyond(input, book.input_next, Visibility::Accepted) => Ok(arrived?),
            () = snapshot => self.store_snapshot(book).await,
            () = tick => self.tick(stop).await,
        }
    }

    /// Appends a tick that is due, so that time also advances while commands keep coming.
    async fn catch_up_with_time(
        &mut self,
        book: &Book<P::State>,
        stop: &CancellationToken,
    ) -> Result<(), RunnerError> {
        let due = self.processor.next_due(&book.state).is_some_and(|due| due <= self.world.now());
        if due && !self.is_ticking(book) { self.tick(stop).await } else { Ok(()) }
    }

    /// Whether a tick was appended that is not decided yet.
    fn is_ticking(&self, book: &Book<P::State>) -> bool {
        self.ticking.is_some_and(|tick| tick >= book.input_next)
    }

    async fn tick(&mut self, stop: &CancellationToken) -> Result<(), RunnerError> {
        let (input, _) = input_and_output::<P>(self.partition);
        let record: Bytes = self.ticks.next(&*self.world);
        let tick = vec![Batch { topic_partition: input, records: vec![record] }];
        let persisted = self.persist(tick, true, stop).await;
        // A tick that finds no space is due again, and then the same one is appended.
        if let Persisted::Appended(appended) = persisted.map_err(|error| RunnerError::Append(input, error))? {
            self.ticks.appended();
            self.ticking = appended.offsets.first().copied();
        }
        Ok(())
    }

    /// Records a span for each traced command: from the read of the commands until their events were accepted.
    fn record_spans(&self, traced: Vec<Traced>, start: Timestamp) {
        if traced.is_empty() {
            return;
        }
        let (end, (input, _)) = (self.world.now(), input_and_output::<P>(self.partition));
        for Traced { parent, kind, offset } in traced {
            let span = Span::of_records(parent, "decide command", (start, end), input, offset);
            spans::record(span.with("orderflow.kind", kind.as_str()));
        }
    }

    /// Sets the gauges; `end` is the offset after the last command in the log.
    fn report_gauges(&mut self, book: &Book<P::State>, end: Offset) {
        self.metrics.set_gauges(self.processor.gauges(&book.state));
        self.metrics.lag_records.set(end.0.saturating_sub(book.input_next.0) as f64);
        self.reported_at = self.world.instant();
    }

    /// Stores a snapshot beside the loop, unless there is nothing new to store or the last one is still being stored.
    /// The loop waits only for a copy of the book, which shares the orders.
    async fn store_snapshot(&mut self, book: &mut Book<P::State>) -> Result<(), RunnerError> {
        if self.snapshots.begin(book.input_next) {
            self.pass_folded(book).await?;
            self.snapshots.store(book.clone(), self.last);
        }
        Ok(())
    }

    async fn finish(&mut self, book: &mut Book<P::State>) -> Result<(), RunnerError> {
        self.snapshots.finish().await;
        self.store_snapshot(book).await?;
        self.snapshots.finish().await;
        let (input, _) = input_and_output::<P>(self.partition);
        tracing::info!(%input, next = %book.input_next, "processor stopped");
        Ok(())
    }

    /// Moves `events_next` past the events that the book already contains. If only this runner writes, there are none
    /// left to pass. If two runners write, an event may lie before repeats of older ones; it is passed only once it is
    /// decided here.
    async fn pass_folded(&self, book: &mut Book<P::State>) -> Result<(), RunnerError> {
        let (_, events) = input_and_output::<P>(self.partition);
        loop {
            let bytes_max = self.settings.read_bytes;
            let chunk = self.topics.read(events, book.events_next, bytes_max, Visibility::Accepted).await?;
            let passed = chunk.records.iter().take_while(|record| book.has_event(record)).count();
            book.events_next = Offset(book.events_next.0 + passed as u64);
            if passed == 0 || passed < chunk.records.len() {
                return Ok(());
            }
        }
    }
}
