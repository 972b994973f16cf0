//! The `Sink` trait: what the driver requires of a store, and what a store is given.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use orderflow_feed::{EventRecord, PartitionCheckpoint};
use orderflow_schemas::{LogId, Offset, TopicPartition};

/// How far a sink is in each of its partitions of events. A partition that is absent has not been started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint(pub BTreeMap<TopicPartition, PartitionCheckpoint>);

impl Checkpoint {
    /// The checkpoint of one partition.
    pub fn partition(&self, topic_partition: TopicPartition) -> PartitionCheckpoint {
        self.0.get(&topic_partition).copied().unwrap_or_default()
    }
}

/// Events of several partitions. The events of each partition are in the order of their offsets.
#[derive(Clone, Debug, Default)]
pub struct EventBatch {
    /// The events, those of different partitions possibly mixed.
    pub records: Vec<Arc<EventRecord>>,
}

/// Why a sink did not apply a batch. The code that raises the error decides which of the three kinds it is.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The store cannot apply the batch now and may be able to later: it is busy, full or unavailable.
    #[error("{operation}: {source}")]
    Retry {
        /// The operation that failed.
        operation: &'static str,
        /// The store's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store can never hold this record. Without the record, the batch may be applied.
    #[error("the event at {topic_partition}, offset {offset}, cannot be stored: {reason}")]
    DeadLetter {
        /// The partition of the record.
        topic_partition: TopicPartition,
        /// The offset of the record in that partition.
        offset: Offset,
        /// The reason why the store cannot hold the record.
        reason: String,
    },
    /// A retry cannot help: the store is damaged, it belongs to another system, or this program has a bug.
    #[error("{operation}: {source}")]
    Stop {
        /// The operation that failed.
        operation: &'static str,
        /// The store's own error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The state of a batch in the store. Each state promises more than the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ApplyOutcome {
    /// The store has taken the batch. Readers do not see it yet, and a crash may undo it.
    Accepted,
    /// Readers see the batch. A crash may undo it.
    Visible,
    /// Readers see the batch, and it survives a power failure together with its checkpoint.
    Durable,
}

/// A store that shows what was decided.
///
/// *Order*: batches are applied one at a time, in the order of the log within each partition. *Repeats*: a batch may be
/// applied again, cut at other places; the store then shows the same, because it keeps the higher version of each
/// object. *Atomicity*: the checkpoint becomes durable with the rows or not at all. *Durability*: `apply` returns the
/// state of its batch ([`ApplyOutcome`]). A batch that was only accepted or visible becomes durable with a later
/// durable batch or with `flush`, in order. The driver lets the log remove only what is durable; after a crash it
/// continues from the durable checkpoint. *Errors*: after an error the store is as it was before the batch.
/// *Cancellation*: a dropped `apply` leaves the store as it was before the batch or as it is after it, never in
/// between.
#[async_trait]
pub trait Sink: Send {
    /// The name of the sink in metrics, log lines and pins on the log.
    fn name(&self) -> &'static str;

    /// Ties the store to a log. A store that is tied to no log remembers this one durably. A store that is tied to
    /// another log refuses with [`SinkError::Stop`], naming both. The driver calls it before anything else.
    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError>;

    /// The durable checkpoint.
    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError>;

    /// Applies a batch and stores its checkpoint, which stands for all events up to the end of the batch.
    async fn apply(&mut self, batch: &EventBatch, checkpoint: &Checkpoint)
    -> Result<ApplyOutcome, SinkError>;

    /// Makes everything that was applied durable and visible. The driver calls it when much is in flight, and some time
    /// after the last batch. A store whose batches are durable at once has nothing to do.
    async fn flush(&mut self) -> Result<(), SinkError> {
        Ok(())
    }

    /// Closes the store and leaves it tidy for other programs. Nothing is applied after it. Everything that was applied
    /// is in the store even if it is never called.
    async fn close(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
