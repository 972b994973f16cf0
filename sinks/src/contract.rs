//! The `Sink` trait: what the driver asks of a store, and what a store is given.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use orderflow_feed::{EventRecord, PartitionCheckpoint};
use orderflow_schemas::{LogId, Offset, TopicPartition};

/// How far a sink is in each of its partitions of events. A partition that is not in it has not been begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint(pub BTreeMap<TopicPartition, PartitionCheckpoint>);

impl Checkpoint {
    /// How far it is in one partition.
    pub fn partition(&self, at: TopicPartition) -> PartitionCheckpoint {
        self.0.get(&at).copied().unwrap_or_default()
    }
}

/// Events of several partitions. Those of one partition stand in the order of their offsets.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    /// The events.
    pub records: Vec<Arc<EventRecord>>,
}

/// Why a sink did not apply a batch. Whoever raises it knows which of the three it is.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The store cannot now, and may later: it is busy, full or away.
    #[error("{operation}: {source}")]
    Retry {
        /// What was tried.
        operation: &'static str,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store can never hold this record; without it the batch may be applied.
    #[error("the event at {at}, offset {offset}, cannot be stored: {reason}")]
    DeadLetter {
        /// The record's partition.
        at: TopicPartition,
        /// The record's offset.
        offset: Offset,
        /// Why.
        reason: String,
    },
    /// Trying again cannot help: the store is damaged, not ours, or there is a mistake in this program.
    #[error("{operation}: {source}")]
    Stop {
        /// What was tried.
        operation: &'static str,
        /// What the store said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a store has done with a batch. Each says more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApplyOutcome {
    /// It has taken the batch. Readers do not see it yet, and a crash may take it back.
    Accepted,
    /// Readers see it. A crash may take it back.
    Visible,
    /// Readers see it, and it survives a power cut together with its checkpoint.
    Durable,
}

/// A store that shows what was decided.
///
/// *Order*: batches come one at a time, in the order of the log within each partition. *Repeats*: a batch may come
/// again, cut at other places; what a store shows is then the same, because it keeps the higher version of each
/// thing. *Atomicity*: the checkpoint becomes durable with the rows or not at all. *Durability*: what a batch has become is
/// what `apply` answers ([`ApplyOutcome`]); what was only accepted or visible becomes durable with a later batch that is, or with
/// `flush`, in order. Only what is durable does the driver let the log forget; after a crash it goes on from the checkpoint
/// that is. *Errors*: after an error the store is as it was before the batch. *Cancellation*: a dropped `apply` leaves the
/// store before or after the batch, never between.
#[async_trait]
pub trait Sink: Send {
    /// The name of the sink in metrics, logs and holds on the log.
    fn name(&self) -> &'static str;

    /// Ties the store to a log: a store that is not tied to one remembers it, durably, and one that is tied to another
    /// refuses with [`SinkError::Stop`], naming both. The driver calls it before anything else.
    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError>;

    /// The checkpoint that is durable.
    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError>;

    /// Applies a batch and stores the checkpoint that stands for all up to its end.
    async fn apply(&mut self, batch: &EventBatch, checkpoint: &Checkpoint)
    -> Result<ApplyOutcome, SinkError>;

    /// Makes everything durable and visible that was applied. The driver calls it when much is in flight, and some time
    /// after the last batch. Nothing to do for a store whose batches are durable at once.
    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Leaves the store as others would like to find it. Nothing is applied after it. All that was applied is there
    /// without it, too.
    async fn close(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
