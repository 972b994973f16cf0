//! The sink driver: the one loop that carries events from the log into a sink.
//!
//! It reads only what is durable, takes each event once, applies batches in order, and stores nothing itself: the
//! sink's own checkpoint says where to continue. While a batch is applied, the next one is read and decoded, one ahead
//! and no more. The further a sink is behind, the larger its batches, and the more versions of an order become one row.
//!
//! Guarantees: a gap or a newer record stops the sink and leaves its store correct. A record that cannot be read or
//! stored is durable in `dead.letters` before the checkpoint passes it. The log keeps everything that the checkpoint
//! has not passed.

mod backoff;
mod read_ahead;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use orderflow_feed::{EventRecord, Feed, FeedError};
use orderflow_schemas::{DeadLetter, Offset, Timestamp, Topic, TopicPartition};
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Progress, Sink, SinkError};
use orderflow_topics::{AppendError, Batch, LogError, Topics, Visibility};
use orderflow_world::{
    Instant, World,
    spans::{self, Span},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::metrics::{self as names, SinkMetrics};

use self::{
    backoff::Backoff,
    read_ahead::{ReadAhead, ReadBatch},
};

/// The largest number of dead letters in one append. It is small, since each contains a whole record and the size of an
/// append is bounded.
const LETTERS_PER_APPEND: usize = 8;

/// How a sink is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SinkDriverSettings {
    /// The largest batch, in records.
    #[schemars(range(min = 1))]
    pub records_max: usize,
    /// The largest batch, in bytes; the last record may exceed it.
    #[schemars(range(min = 1))]
    pub bytes_max: usize,
    /// The first pause after an attempt that may be repeated; each next one is twice as long.
    #[schemars(range(min = 1))]
    pub backoff_ms_min: u64,
    /// The longest pause between two attempts.
    #[schemars(range(min = 1))]
    pub backoff_ms_max: u64,
    /// Records that a store may have applied and not yet made durable. Beyond it the store is flushed before more is
    /// applied.
    #[schemars(range(min = 1))]
    pub in_flight_max: usize,
    /// How long after the first batch that is not durable the store is flushed.
    #[schemars(range(min = 1))]
    pub flush_ms: u64,
}

impl Default for SinkDriverSettings {
    fn default() -> Self {
        Self {
            records_max: 10_000,
            bytes_max: 8 << 20,
            backoff_ms_min: 50,
            backoff_ms_max: 10_000,
            in_flight_max: 100_000,
            flush_ms: 1_000,
        }
    }
}

/// Why a sink stopped permanently. Its store keeps a consistent state and its checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum SinkDriverError {
    /// The events cannot be followed further.
    #[error("sink {sink} stopped: {source}")]
    Events {
        /// The name of the sink that stopped.
        sink: &'static str,
        /// What is wrong with the events.
        source: FeedError,
    },
    /// The log ends before the sink's checkpoint.
    #[error(
        "sink {sink} has applied {topic_partition} up to offset {next}, but the log ends at {end}: they do not belong together"
    )]
    Ahead {
        /// The name of the sink that stopped.
        sink: &'static str,
        /// The partition that ends too early.
        topic_partition: TopicPartition,
        /// The offset that the sink would read next, according to its checkpoint.
        next: Offset,
        /// The offset at which the durable part of the log ends.
        end: Offset,
    },
    /// The log cannot be read.
    #[error("sink {sink} stopped: {source}")]
    Read {
        /// The name of the sink that stopped.
        sink: &'static str,
        /// The error of the log.
        source: LogError,
    },
    /// The store failed in a way that a retry cannot solve.
    #[error("sink {sink} stopped: {source}")]
    Apply {
        /// The name of the sink that stopped.
        sink: &'static str,
        /// The error of the store.
        source: SinkError,
    },
    /// A dead letter cannot be written, so the checkpoint cannot pass the record that it is about.
    #[error("sink {sink} stopped: a dead letter was not taken: {source}")]
    DeadLetter {
        /// The name of the sink that stopped.
        sink: &'static str,
        /// The error of the log.
        source: AppendError,
    },
}

/// Whether the loop continues or was told to stop.
#[derive(PartialEq, Eq)]
enum LoopControl {
    Continue,
    Stopped,
}

/// Carries events from the log into one sink.
pub struct SinkDriver {
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    feed: Feed,
    sink: Box<dyn Sink>,
    inputs: Vec<TopicPartition>,
    progress: Progress,
    settings: SinkDriverSettings,
    /// The checkpoint after the last applied batch, whether durable or not.
    applied: Checkpoint,
    /// What the store has applied and not yet made durable.
    in_flight: InFlight,
    metrics: SinkMetrics,
}

/// The records that a store has applied and may still lose in a crash.
#[derive(Default)]
struct InFlight {
    records: usize,
    /// When the first of these records were applied, by the monotonic clock; `None` if there are none.
    since: Option<Instant>,
}

impl SinkDriver {
    /// A driver of `sink` over all events of `feed`; `progress` tells others how far the sink is. From now on the log
    /// keeps all these events, until the sink's checkpoint is known.
    pub fn new(
        world: Arc<dyn World>,
        topics: Arc<dyn Topics>,
        feed: Feed,
        sink: Box<dyn Sink>,
        progress: Progress,
        settings: SinkDriverSettings,
    ) -> Self {
        let inputs: Vec<_> = feed.partitions().collect();
        for input in &inputs {
            topics.retain_from(&reader_name(&*sink), *input, Offset::ZERO);
        }
        let applied = Checkpoint::default();
        Self {
            metrics: SinkMetrics::new(sink.name()),
            world,
            topics,
            feed,
            sink,
            inputs,
            progress,
            settings,
            applied,
            in_flight: InFlight::default(),
        }
    }

    /// Runs until `stop`, then finishes the batch that it is applying, closes the sink and returns. The future must not
    /// be dropped before that.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), SinkDriverError> {
        let Some(checkpoint) = self.load(&stop).await? else { return Ok(()) };
        self.check(&checkpoint).await?;
        self.advance(ApplyOutcome::Durable, checkpoint.clone(), 0);
        let applied: u64 = checkpoint.0.values().map(|progress| progress.next.0).sum();
        tracing::info!(sink = self.sink.name(), applied, "sink starts after its checkpoint");
        let reader = ReadAhead::new(&self, &checkpoint)?;
        let (sender, mut receiver) = mpsc::channel(1);
        // A separate task, so that decoding and applying can each use a core. It is cancelled when applying ends for
        // any reason.
        let reading = stop.child_token();
        self.world.spawn(Box::pin(reader.run(sender, reading.clone())));
        let applied = self.apply_all(&mut receiver, &stop).await;
        reading.cancel();
        // The reader holds the sending side until it has ended.
        while receiver.recv().await.is_some() {}
        applied?;
        tracing::info!(sink = self.sink.name(), "sink stopped");
        if let Err(error) = self.sink.close().await {
            tracing::warn!(%error, sink = self.sink.name(), "the store was not closed in order; nothing is missing in it");
        }
        Ok(())
    }

    /// Refuses a checkpoint beyond the end of the log: it belongs to another log, or to a later state of this one.
    async fn check(&mut self, checkpoint: &Checkpoint) -> Result<(), SinkDriverError> {
        let sink = self.sink.name();
        for topic_partition in &self.inputs {
            let bounds = self.topics.bounds(*topic_partition, Visibility::Durable).await;
            let end = bounds.map_err(|source| SinkDriverError::Read { sink, source })?.end;
            let next = checkpoint.partition(*topic_partition).next;
            if next > end {
                return Err(SinkDriverError::Ahead { sink, topic_partition: *topic_partition, next, end });
            }
        }
        Ok(())
    }

    async fn load(&mut self, stop: &CancellationToken) -> Result<Option<Checkpoint>, SinkDriverError> {
        let mut backoff = Backoff::new(&self.world, self.sink.name(), &self.settings);
        loop {
            match self.claim().await {
                Ok(mut checkpoint) => {
                    for input in &self.inputs {
                        checkpoint.0.entry(*input).or_default();
                    }
                    return Ok(Some(checkpoint));
                }
                Err(error @ SinkError::Retry { .. }) => {
                    if backoff.pause(&error, stop).await == LoopControl::Stopped {
                        return Ok(None);
                    }
                }
                Err(source) => return Err(SinkDriverError::Apply { sink: self.sink.name(), source }),
            }
        }
    }

    /// Ties the store to the log, and returns the store's checkpoint.
    async fn claim(&mut self) -> Result<Checkpoint, SinkError> {
        self.sink.claim(&self.topics.id()).await?;
        self.sink.checkpoint().await
    }

    async fn apply_all(
        &mut self,
        receiver: &mut mpsc::Receiver<Result<ReadBatch, SinkDriverError>>,
        stop: &CancellationToken,
    ) -> Result<(), SinkDriverError> {
        loop {
            // Checked before each batch: under load, a batch is always ready before the pause ends.
            if self.must_flush() && self.flush(stop).await? == LoopControl::Stopped {
                break;
            }
            let (flush_in, world) = (self.flush_in(), &self.world);
            let until_flush = async {
                match flush_in {
                    Some(pause) => world.sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            let read = tokio::select! {
                biased;
                read = receiver.recv() => read,
                () = until_flush => continue,
            };
            let Some(read) = read else { break };
            if stop.is_cancelled() || self.settle(read?, stop).await? == LoopControl::Stopped {
                break;
            }
        }
        // An unavailable store does not delay stopping: what it has not made durable is applied again after the next
        // start.
        self.flush(stop).await?;
        Ok(())
    }

    /// How long until the store must be flushed; `None` while nothing is in flight.
    fn flush_in(&self) -> Option<Duration> {
        let due = self.in_flight.since? + Duration::from_millis(self.settings.flush_ms);
        Some(due.saturating_sub(self.world.instant()))
    }

    fn must_flush(&self) -> bool {
        self.in_flight.records >= self.settings.in_flight_max || self.flush_in() == Some(Duration::ZERO)
    }

    /// Makes the store flush everything that it has applied. Retries until that succeeds or `stop`.
    async fn flush(&mut self, stop: &CancellationToken) -> Result<LoopControl, SinkDriverError> {
        if self.in_flight.records == 0 {
            return Ok(LoopControl::Continue);
        }
        let sink = self.sink.name();
        let mut backoff = Backoff::new(&self.world, sink, &self.settings);
        loop {
            match self.sink.flush().await {
                Ok(()) => {
                    self.advance(ApplyOutcome::Durable, self.applied.clone(), 0);
                    return Ok(LoopControl::Continue);
                }
                Err(error @ SinkError::Retry { .. }) => {
                    if backoff.pause(&error, stop).await == LoopControl::Stopped {
                        return Ok(LoopControl::Stopped);
                    }
                }
                Err(source) => return Err(SinkDriverError::Apply { sink, source }),
            }
        }
    }

    /// Writes the dead letters of a batch that was read, then applies the batch. Retries until that succeeds or `stop`.
    async fn settle(
        &mut self,
        mut read: ReadBatch,
        stop: &CancellationToken,
    ) -> Result<LoopControl, SinkDriverError> {
        let sink = self.sink.name();
        let mut backoff = Backoff::new(&self.world, sink, &self.settings);
        loop {
            if self.write_dead_letters(&mut read.letters, stop).await? == LoopControl::Stopped {
                return Ok(LoopControl::Stopped);
            }
            let (begun, started) = (self.world.instant(), self.world.now());
            let applied = match self.sink.apply(&read.batch, &read.checkpoint).await {
                Ok(applied) => {
                    self.metrics.apply_seconds.record((self.world.instant() - begun).as_secs_f64());
                    applied
                }
                Err(error @ SinkError::Retry { .. }) => {
                    self.report_lag().await;
                    if backoff.pause(&error, stop).await == LoopControl::Stopped {
                        return Ok(LoopControl::Stopped);
                    }
                    continue;
                }
                Err(source) => match self.reject(&mut read.batch, &source) {
                    Some(letter) => {
                        read.letters.push(letter);
                        continue;
                    }
                    None => return Err(SinkDriverError::Apply { sink, source }),
                },
            };
            self.record_spans(&read.batch, started);
            self.advance(applied, read.checkpoint, read.records);
            break;
        }
        self.metrics.applied_records.increment(read.records as u64);
        self.metrics.batch_records.record(read.records as f64);
        self.report_lag().await;
        Ok(LoopControl::Continue)
    }

    /// Records a span for each traced event, with the time in which its batch was applied.
    fn record_spans(&self, batch: &EventBatch, start: Timestamp) {
        for record in &batch.records {
            let Some(parent) = spans::recorded(record.header.traceparent.as_ref()) else { continue };
            let took = (start, self.world.now());
            let span =
                Span::of_records(parent.clone(), "apply event", took, record.topic_partition, record.offset);
            spans::record(
                span.with("orderflow.kind", record.kind.as_str()).with("orderflow.sink", self.sink.name()),
            );
        }
    }

    /// Makes the dead letters durable. The checkpoint may pass the records that they are about only afterwards.
    async fn write_dead_letters(
        &mut self,
        letters: &mut Vec<DeadLetter>,
        stop: &CancellationToken,
    ) -> Result<LoopControl, SinkDriverError> {
        let sink = self.sink.name();
        let mut backoff = Backoff::new(&self.world, sink, &self.settings);
        while !letters.is_empty() {
            let some = letters.len().min(LETTERS_PER_APPEND);
            let records: Vec<Bytes> = letters[..some].iter().map(DeadLetter::encode).collect();
            let batch = Batch { topic_partition: TopicPartition::new(Topic::DeadLetters, 0), records };
            match append_durably(self.topics.as_ref(), batch).await {
                Ok(()) => {
                    for DeadLetter { topic, partition, offset, reason, .. } in letters.drain(..some) {
                        tracing::warn!(sink, %topic, %partition, %offset, %reason, "record became a dead letter");
                    }
                    metrics::counter!(names::SINK_DEAD_LETTERS.name, "sink" => sink).increment(some as u64);
                }
                Err(error) if may_be_repeated(&error) => {
                    if backoff.pause(&error, stop).await == LoopControl::Stopped {
                        return Ok(LoopControl::Stopped);
                    }
                }
                Err(source) => return Err(SinkDriverError::DeadLetter { sink, source }),
            }
        }
        Ok(LoopControl::Continue)
    }

    /// Removes the record that the sink cannot store from the batch, and returns its dead letter. `None` if the error
    /// is not about a record of the batch.
    fn reject(&self, batch: &mut EventBatch, error: &SinkError) -> Option<DeadLetter> {
        let SinkError::DeadLetter { topic_partition, offset, reason } = error else { return None };
        let is_it = |record: &Arc<EventRecord>| {
            record.topic_partition == *topic_partition && record.offset == *offset
        };
        let index = batch.records.iter().position(is_it)?;
        let record = batch.records.remove(index);
        Some(DeadLetter::new(
            &reader_name(&*self.sink),
            *topic_partition,
            *offset,
            reason.clone(),
            &record.bytes,
        ))
    }

    /// Sets the gauge of the sink's lag. It is also called while the store is unavailable and nothing is applied.
    async fn report_lag(&mut self) {
        let mut lag = 0;
        for topic_partition in &self.inputs {
            let Ok(bounds) = self.topics.bounds(*topic_partition, Visibility::Durable).await else { return };
            lag += bounds.end.0.saturating_sub(self.applied.partition(*topic_partition).next.0);
        }
        self.metrics.lag_records.set(lag as f64);
    }

    /// Notes that a batch was applied. Tells readers how far the store shows events, and the log how far the store is
    /// durable.
    fn advance(&mut self, applied: ApplyOutcome, checkpoint: Checkpoint, records: usize) {
        if applied >= ApplyOutcome::Visible {
            self.progress.advance(&checkpoint);
        }
        if applied == ApplyOutcome::Durable {
            let reader = reader_name(&*self.sink);
            for input in &self.inputs {
                self.topics.retain_from(&reader, *input, checkpoint.partition(*input).next);
            }
            self.in_flight = InFlight::default();
        } else {
            self.in_flight.records += records;
            self.in_flight.since.get_or_insert(self.world.instant());
        }
        self.applied = checkpoint;
    }
}

/// The name under which the log keeps records for a sink.
fn reader_name(sink: &dyn Sink) -> String {
    format!("sink/{}", sink.name())
}

async fn append_durably(topics: &dyn Topics, batch: Batch) -> Result<(), AppendError> {
    let appended = topics.append(vec![batch]).await?;
    let durable = topics.durable(appended.receipt).await;
    durable.map_err(|error| AppendError::Unknown(error.to_string().into()))
}

/// Whether the append of a dead letter may be repeated. A letter that is written twice does no harm: it names its
/// record.
fn may_be_repeated(error: &AppendError) -> bool {
    match error {
        AppendError::Unknown(_) => true,
        AppendError::Rejected(rejection) => rejection.may_pass(),
    }
}
