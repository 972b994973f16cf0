//! The appending task of one partition: gather, number, append, report the result.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use metrics::{Counter, Histogram};
use orderflow_schemas::{
    Offset, Timestamp, TopicPartition,
    envelope::{self, TraceParent},
};
use orderflow_topics::{AppendError, AppendRejection, Batch, LogError, Receipt, Topics, Visibility};
use orderflow_world::{
    Numbering, World,
    spans::{self, Span},
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{instrument, warn};

use super::submission::{AppendedCommands, Refusal, Submission};
use crate::{decisions::Decisions, metrics as names, settings::IngestSettings};

/// The prefix of the names of ingest's sources.
const SOURCE: &str = "ingest";
/// Approximate bytes of one read when the log is searched for an earlier copy of an append.
const FIRST_COPY_BYTES: usize = 256 << 10;

/// Approximate bytes that an envelope adds to a payload. Used only to reserve memory.
const ENVELOPE_BYTES: usize = 256;

pub(super) struct AppendTask {
    topic_partition: TopicPartition,
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    decisions: Arc<Decisions>,
    receiver: mpsc::Receiver<Submission>,
    numbering: Numbering,
    /// The lowest offset at which the records of the next append can be.
    earliest: Offset,
    records_max: usize,
    bytes_max: usize,
    retry_max: Duration,
    pause_max: Duration,
    stopping: CancellationToken,
    /// The counters of appended commands by their kind; each is looked up once.
    commands_appended: Vec<(&'static str, Counter)>,
    append_records: Histogram,
}

/// The final outcome of an append, after all its attempts.
enum AppendOutcome {
    /// The log has accepted the records: the first offset, and the receipt to wait for.
    Accepted(Offset, Receipt),
    /// The records were certainly not written, so their numbers are free.
    Refused(Refusal),
    /// The records may have been written, so their numbers are neither free nor taken.
    Unknown,
}

impl AppendTask {
    pub fn new(
        topic_partition: TopicPartition,
        world: Arc<dyn World>,
        topics: Arc<dyn Topics>,
        decisions: Arc<Decisions>,
        receiver: mpsc::Receiver<Submission>,
        settings: &IngestSettings,
        stopping: CancellationToken,
    ) -> Self {
        Self {
            topic_partition,
            topics,
            decisions,
            receiver,
            numbering: Numbering::new(SOURCE, &*world),
            world,
            earliest: Offset::ZERO,
            records_max: settings.append_records_max,
            bytes_max: settings.append_bytes_max,
            retry_max: Duration::from_millis(settings.append_retry_ms_max),
            pause_max: Duration::from_millis(settings.append_pause_ms_max),
            stopping,
            commands_appended: Vec::new(),
            append_records: metrics::histogram!(names::APPEND_RECORDS.name),
        }
    }

    #[instrument(name = "append", skip_all, fields(topic_partition = %self.topic_partition))]
    pub async fn run(mut self) {
        // No command is appended before the events are being read, or its decision could be missed.
        self.decisions.ready(self.topic_partition).await;
        let bounds = self.topics.bounds(self.topic_partition, Visibility::Accepted).await;
        self.earliest = bounds.map(|bounds| bounds.end).unwrap_or_default();
        while let Some(batch) = self.gather().await {
            self.append_all(batch).await;
        }
    }

    /// The waiting submissions, up to the bounds of one append. `None` when the task was stopped and no submission is
    /// waiting.
    async fn gather(&mut self) -> Option<Vec<Submission>> {
        let first = tokio::select! {
            biased;
            first = self.receiver.recv() => first?,
            () = self.stopping.cancelled() => {
                self.receiver.close();
                self.receiver.recv().await?
            }
        };
        let (mut records, mut bytes) = (first.commands.len(), first.commands.bytes_len());
        let mut batch = vec![first];
        while records < self.records_max && bytes < self.bytes_max {
            let Ok(next) = self.receiver.try_recv() else { break };
            records += next.commands.len();
            bytes += next.commands.bytes_len();
            batch.push(next);
        }
        Some(batch)
    }

    async fn append_all(&mut self, batch: Vec<Submission>) {
        let mut work = VecDeque::from([batch]);
        while let Some(mut batch) = work.pop_front() {
            let time = self.numbering.time(&*self.world);
            let records = self.number(&mut batch, time);
            let count = records.len();
            match self.append(records).await {
                AppendOutcome::Accepted(first, receipt) => self.accepted(batch, time, first, receipt),
                // The submissions were too large together. Each alone may be small enough.
                AppendOutcome::Refused(Refusal::TooLarge { .. }) if batch.len() > 1 => {
                    self.unregister_waiters(&mut batch);
                    work.extend(batch.into_iter().map(|submission| vec![submission]));
                }
                AppendOutcome::Refused(refusal) => {
                    warn!(%time, count, ?refusal, "an append was refused");
                    self.unregister_waiters(&mut batch);
                    answer_all(batch, &refusal);
                }
                AppendOutcome::Unknown => {
                    warn!(count, "an append was given up; its outcome is unknown");
                    self.unregister_waiters(&mut batch);
                    self.numbering.rename(&*self.world);
                    answer_all(batch, &Refusal::Unavailable);
                }
            }
        }
    }

    /// Makes the records of a batch. Registers its waiters first, so that no decision can come before its waiter is
    /// known.
    fn number(&self, batch: &mut [Submission], time: Timestamp) -> Vec<Bytes> {
        let count = batch.iter().map(|submission| submission.commands.len()).sum();
        let bytes: usize = batch.iter().map(|submission| submission.commands.bytes_len()).sum();
        let mut buffer = BytesMut::with_capacity(bytes + count * ENVELOPE_BYTES);
        let mut records = Vec::with_capacity(count);
        for submission in batch {
            let mut header =
                self.numbering.header(records.len() as u64, time, submission.traceparent.clone());
            if let Some(waiter) = submission.waiter.take() {
                self.decisions.register(&header.source, header.number, waiter);
            }
            for json in submission.commands.iter() {
                envelope::encode_raw(&mut buffer, &header, submission.commands.kind(), json);
                records.push(buffer.split().freeze());
                header.number += 1;
            }
        }
        records
    }

    /// Appends the records, and repeats the append with the same bytes as long as its outcome is unknown.
    async fn append(&self, records: Vec<Bytes>) -> AppendOutcome {
        let deadline = self.world.instant() + self.retry_max;
        let mut pause = self.pause_max / 100;
        let mut unsure = false;
        loop {
            let batch = Batch { topic_partition: self.topic_partition, records: records.clone() };
            match self.topics.append_new(vec![batch]).await {
                Ok(appended) => {
                    let found = appended.offsets.first().copied().expect("one batch has one first offset");
                    let first = if unsure { self.first_copy(&records, found).await } else { Some(found) };
                    return first.map_or(AppendOutcome::Unknown, |first| {
                        AppendOutcome::Accepted(first, appended.receipt)
                    });
                }
                // After an unknown outcome, the refusal of a repeat says nothing about the first attempt.
                Err(AppendError::Rejected(rejection)) if !unsure => {
                    return AppendOutcome::Refused(refusal(rejection));
                }
                Err(AppendError::Rejected(AppendRejection::Closed)) => return AppendOutcome::Unknown,
                Err(error) => {
                    if self.world.instant() >= deadline {
                        return AppendOutcome::Unknown;
                    }
                    warn!(%error, "repeating an append");
                }
            }
            unsure = true;
            metrics::counter!(names::APPEND_REPEATS.name).increment(1);
            self.world.sleep(pause).await;
            pause = (pause * 2).min(self.pause_max);
        }
    }

    /// The first offset of records that the last attempt put at `found`: an earlier attempt whose outcome was unknown
    /// may have been written too. Readers skip the later copy, so clients are only ever given the offsets of the first.
    /// `None` if the log cannot be read.
    async fn first_copy(&self, records: &[Bytes], found: Offset) -> Option<Offset> {
        let mut from = self.earliest;
        while from < found {
            match self.topics.read(self.topic_partition, from, FIRST_COPY_BYTES, Visibility::Accepted).await {
                Ok(chunk) => {
                    let copy = chunk.records.iter().position(|record| records.first() == Some(record));
                    if let Some(index) = copy {
                        return Some(Offset(from.0 + index as u64));
                    }
                    if chunk.records.is_empty() {
                        break;
                    }
                    from = chunk.next();
                }
                Err(LogError::Trimmed { start, .. }) => from = start,
                Err(error) => {
                    warn!(%error, "whether an append was written twice cannot be seen");
                    return None;
                }
            }
        }
        Some(found)
    }

    fn accepted(&mut self, batch: Vec<Submission>, time: Timestamp, mut first: Offset, receipt: Receipt) {
        let mut records = 0;
        for submission in batch {
            let count = submission.commands.len();
            let (source, number) = (self.numbering.source().clone(), self.numbering.next());
            let appended = AppendedCommands {
                topic_partition: self.topic_partition,
                first,
                count,
                receipt,
                source,
                number,
            };
            self.numbering.take(count, time);
            first = Offset(first.0 + count as u64);
            self.earliest = self.earliest.max(first);
            records += count;
            self.count_commands(submission.commands.kind(), count);
            self.record_span(submission.traceparent, time, &appended);
            // The submitter may be gone. The commands are appended nevertheless.
            let _ = submission.answer.send(Ok(appended));
        }
        self.append_records.record(records as f64);
    }

    /// Counts appended commands of one kind.
    fn count_commands(&mut self, kind: &'static str, count: usize) {
        let known = self.commands_appended.iter().position(|(known, _)| *known == kind);
        let index = known.unwrap_or_else(|| {
            let topic = self.topic_partition.topic.as_str();
            let counter = metrics::counter!(names::COMMANDS.name, "topic" => topic, "type" => kind);
            self.commands_appended.push((kind, counter));
            self.commands_appended.len() - 1
        });
        self.commands_appended[index].1.increment(count as u64);
    }

    /// Records the span of the append in the trace of the request.
    fn record_span(&self, traceparent: Option<TraceParent>, start: Timestamp, commands: &AppendedCommands) {
        let Some(parent) = spans::recorded(traceparent.as_ref()) else { return };
        let took = (start, self.world.now());
        let span =
            Span::of_records(parent.clone(), "append commands", took, self.topic_partition, commands.first);
        spans::record(span.with("messaging.batch.message_count", commands.count as u64));
    }

    /// Unregisters the waiters of a batch that was not appended, because other records will get its numbers.
    fn unregister_waiters(&self, batch: &mut [Submission]) {
        let mut number = self.numbering.next();
        for submission in batch {
            submission.waiter =
                self.decisions.unregister(self.topic_partition, self.numbering.source(), number);
            number += submission.commands.len() as u64;
        }
    }
}

fn refusal(rejection: AppendRejection) -> Refusal {
    match rejection {
        AppendRejection::Full(_) => Refusal::Full,
        AppendRejection::TooLarge { limit } => Refusal::TooLarge { limit },
        AppendRejection::NoSuchPartition(topic_partition) => Refusal::NoSuchPartition(topic_partition),
        AppendRejection::Closed => Refusal::Unavailable,
        AppendRejection::Unavailable(_) => Refusal::Away,
        AppendRejection::Refused(why) => Refusal::Refused(why),
    }
}

fn answer_all(batch: Vec<Submission>, refusal: &Refusal) {
    for submission in batch {
        let _ = submission.answer.send(Err(refusal.clone()));
    }
}
