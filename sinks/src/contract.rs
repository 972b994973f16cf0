//! The `Sink` trait: what the driver asks of a store, and what a store is given.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use orderflow_feed::{EventRecord, Mark};
use orderflow_schemas::{Offset, TopicPartition};

/// How far a sink is in each of its partitions of events. A partition that is not in it has not been begun.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint(pub BTreeMap<TopicPartition, Mark>);

impl Checkpoint {
    /// How far it is in one partition.
    pub fn mark(&self, at: TopicPartition) -> Mark {
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

/// A store that shows what was decided.
///
/// *Order*: batches come one at a time, in the order of the log within each partition. *Repeats*: a batch may come
/// again, cut at other places; what a store shows is then the same, because it keeps the higher version of each
/// thing. *Atomicity*: the checkpoint becomes visible and durable with the rows or not at all. *Durability*: when
/// `apply` returns, the batch survives a power cut, so the driver may let the log forget what is before the
/// checkpoint. *Errors*: after an error the store is as it was before the batch. *Cancellation*: a dropped `apply`
/// leaves the store before or after the batch, never between.
#[async_trait]
pub trait Sink: Send {
    /// The name of the sink in metrics, logs and holds on the log.
    fn name(&self) -> &'static str;

    /// The checkpoint that was stored last.
    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError>;

    /// Applies a batch and stores the checkpoint that stands for all up to its end.
    async fn apply(&mut self, batch: &EventBatch, checkpoint: &Checkpoint) -> Result<(), SinkError>;

    /// Leaves the store as others would like to find it. Nothing is applied after it. All that was applied is there
    /// without it, too.
    async fn close(&mut self) -> Result<(), SinkError> {
        Ok(())
    }
}
