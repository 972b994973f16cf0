//! Deciding when a snapshot of a runner's book is due, and storing it beside the loop.
//!
//! At most one snapshot is being stored at a time. It contains only durable records. Once it is stored, the log is told
//! which records the kept snapshots still need.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use metrics::counter;
use orderflow_processors::Processor;
use orderflow_schemas::{Offset, Partition};
use orderflow_topics::{Receipt, Topics, Visibility};
use orderflow_world::{Instant, World};
use tokio::sync::oneshot;

use super::{
    book::{Book, input_and_output},
    settings::RunnerSettings,
    snapshots::{SnapshotError, Snapshots},
};
use crate::metrics as names;

/// One command must have been decided for each of this many bytes of the last snapshot before the next one. A snapshot
/// contains the whole state: with millions of active orders, a snapshot after a fixed number of commands would cost
/// more than the commands themselves.
const SNAPSHOT_BYTES_PER_COMMAND: u64 = 1024;

/// Stores the snapshots of one partition.
pub(super) struct SnapshotWriter<P> {
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    partition: Partition,
    snapshots: Snapshots,
    every: u64,
    within: Duration,
    /// Receives the size of the snapshot that is being stored once it is stored; closed without a value if storing
    /// fails.
    storing: Option<oneshot::Receiver<u64>>,
    /// The `input_next` of the last snapshot that was taken, whether it was stored or not.
    taken_at: u64,
    /// The `input_next` of the last snapshot that was stored.
    stored_at: u64,
    /// The size of the last stored snapshot in bytes; 0 if it was stored before the start.
    bytes: u64,
    /// When a snapshot was last attempted, by the monotonic clock.
    tried: Instant,
    processor: PhantomData<fn() -> P>,
}

impl<P: Processor> SnapshotWriter<P> {
    /// A writer of the snapshots of `partition`. From now on the log keeps the whole partition, until it is known what
    /// recovery needs.
    pub(super) fn new(
        world: Arc<dyn World>,
        topics: Arc<dyn Topics>,
        partition: Partition,
        snapshots: Snapshots,
        settings: &RunnerSettings,
    ) -> Self {
        RetentionPins::<P>::new(topics.clone(), partition).all();
        Self {
            topics,
            partition,
            snapshots,
            every: settings.snapshot_every,
            within: settings.snapshot_within(),
            storing: None,
            taken_at: 0,
            stored_at: 0,
            bytes: 0,
            tried: world.instant(),
            processor: PhantomData,
            world,
        }
    }

    /// The stored snapshots of this partition.
    pub(super) fn kept(&self) -> &Snapshots {
        &self.snapshots
    }

    /// Removes what a crash has left, and tells the log what the kept snapshots need.
    pub(super) fn open(&self) -> Result<(), SnapshotError> {
        self.snapshots.remove_unfinished()?;
        RetentionPins::<P>::new(self.topics.clone(), self.partition).renew(&self.snapshots)
    }

    /// Notes that the book was recovered from a snapshot whose `input_next` is `offset`.
    pub(super) fn recovered_from(&mut self, offset: Offset) {
        (self.taken_at, self.stored_at) = (offset.0, offset.0);
    }

    /// Whether a stored snapshot covers all commands before the offset `next`.
    pub(super) fn covers(&self, next: u64) -> bool {
        next <= self.stored_at
    }

    /// Whether a snapshot of the commands before `next` is due: enough was decided since the last one, or it is late.
    pub(super) fn is_due(&mut self, next: Offset) -> bool {
        self.is_worth_it(next) || self.late_in(next) == Some(Duration::ZERO)
    }

    fn is_worth_it(&mut self, next: Offset) -> bool {
        let worth = self.bytes / SNAPSHOT_BYTES_PER_COMMAND;
        !self.is_storing() && next.0 - self.taken_at >= self.every.max(worth)
    }

    /// How long until a snapshot of the commands before `next` is late; `None` if a stored one covers them.
    pub(super) fn late_in(&self, next: Offset) -> Option<Duration> {
        let late = self.tried + self.within;
        (!self.covers(next.0)).then(|| late.saturating_sub(self.world.instant()))
    }

    /// Notes an attempt. Returns whether a snapshot of the commands before `next` can be stored now: there is something
    /// new, and no snapshot is being stored.
    pub(super) fn begin(&mut self, next: Offset) -> bool {
        self.tried = self.world.instant();
        !self.is_storing() && !self.covers(next.0)
    }

    /// Stores a snapshot beside the loop. `last` is the receipt of the last append of the book's output.
    pub(super) fn store(&mut self, book: Book<P::State>, last: Receipt) {
        self.taken_at = book.input_next.0;
        let (topics, snapshots, bytes_last) = (self.topics.clone(), self.snapshots.clone(), self.bytes);
        let holds = RetentionPins::<P>::new(self.topics.clone(), self.partition);
        let (input, events) = input_and_output::<P>(self.partition);
        let (stored, storing) = oneshot::channel();
        self.storing = Some(storing);
        self.world.spawn(Box::pin(async move {
            // A snapshot of records that a power cut could still lose would be ahead of its own log.
            for (topic_partition, next) in [(input, book.input_next), (events, book.events_next)] {
                let Some(last) = next.0.checked_sub(1) else { continue };
                if topics.wait_beyond(topic_partition, Offset(last), Visibility::Durable).await.is_err() {
                    return;
                }
            }
            if topics.durable(last).await.is_err() {
                return;
            }
            let kept = snapshots.keep(book, bytes_last).await;
            match kept.and_then(|bytes| holds.renew(&snapshots).map(|()| bytes)) {
                Ok(bytes) => {
                    counter!(names::SNAPSHOTS_STORED.name, "topic" => P::INPUT.as_str()).increment(1);
                    // Nothing receives the value any more if the process is ending.
                    let _ = stored.send(bytes);
                }
                Err(error) => tracing::error!(%error, "snapshot not stored; the log is kept longer"),
            }
        }));
    }

    /// Whether a snapshot is being stored.
    fn is_storing(&mut self) -> bool {
        self.note_stored();
        self.storing.is_some()
    }

    /// Notes the outcome of the snapshot that was being stored, if it is known by now.
    pub(super) fn note_stored(&mut self) {
        let Some(storing) = &mut self.storing else { return };
        match storing.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) => return,
            Ok(bytes) => (self.stored_at, self.bytes) = (self.taken_at, bytes),
            // Storing failed, which has been logged.
            Err(oneshot::error::TryRecvError::Closed) => {}
        }
        self.storing = None;
    }

    /// Waits until the snapshot that is being stored is stored or has failed; returns at once if there is none.
    pub(super) async fn finish(&mut self) {
        if let Some(storing) = self.storing.take()
            && let Ok(bytes) = storing.await
        {
            (self.stored_at, self.bytes) = (self.taken_at, bytes);
        }
    }
}

/// Tells the log which records the kept snapshots still need.
struct RetentionPins<P> {
    topics: Arc<dyn Topics>,
    partition: Partition,
    processor: PhantomData<fn() -> P>,
}

impl<P: Processor> RetentionPins<P> {
    fn new(topics: Arc<dyn Topics>, partition: Partition) -> Self {
        Self { topics, partition, processor: PhantomData }
    }

    fn all(&self) {
        self.retain_from(Offset::ZERO, Offset::ZERO);
    }

    fn renew(&self, snapshots: &Snapshots) -> Result<(), SnapshotError> {
        let (input_next, events_next) = snapshots.needed_from()?;
        self.retain_from(input_next, events_next);
        Ok(())
    }

    fn retain_from(&self, input_next: Offset, events_next: Offset) {
        let (input, events) = input_and_output::<P>(self.partition);
        let reader = format!("processor/{input}");
        self.topics.retain_from(&reader, input, input_next);
        self.topics.retain_from(&reader, events, events_next);
    }
}
