//! How far the log reaches, beside a store: where retention has removed its beginning, and where the store is ahead.

use std::collections::BTreeSet;

use anyhow::Result;
use orderflow_schemas::{Offset, OrderId, Partition, RoutingHash, Sku, Topic, TopicPartition};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, Visibility, partitions_of};

/// What the log can tell of the events of a topic.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    topic: Topic,
    partitions: u16,
    trimmed: BTreeSet<Partition>,
    /// Where the store's checkpoint lies beyond the log's end.
    ahead: BTreeSet<Partition>,
}

impl Reach {
    pub(super) async fn of(topics: &dyn Topics, topic: Topic, checkpoint: &Checkpoint) -> Result<Self> {
        let partitions = topics.partitions(topic);
        let (mut trimmed, mut ahead) = (BTreeSet::new(), BTreeSet::new());
        for at in partitions_of(topics, topic) {
            let bounds = topics.bounds(at, Visibility::Accepted).await?;
            if bounds.start > Offset::ZERO {
                trimmed.insert(at.partition);
            }
            if checkpoint.partition(at).next > bounds.end {
                ahead.insert(at.partition);
            }
        }
        Ok(Self { topic, partitions, trimmed, ahead })
    }

    /// Where the events of an order stand.
    pub(super) fn place(&self, id: OrderId) -> TopicPartition {
        TopicPartition { topic: self.topic, partition: id.partition(self.partitions) }
    }

    fn partition_of(&self, sku: &Sku) -> Partition {
        RoutingHash::of(sku.as_str()).partition(self.partitions)
    }

    /// Whether the log may no longer tell of this order, or not of all its changes.
    pub(super) fn is_trimmed(&self, id: OrderId) -> bool {
        self.trimmed.contains(&self.place(id).partition)
    }

    /// Whether the store may know more of this order than the log.
    pub(super) fn is_ahead(&self, id: OrderId) -> bool {
        self.ahead.contains(&self.place(id).partition)
    }

    /// As [`Self::is_trimmed`].
    pub(super) fn is_trimmed_for(&self, sku: &Sku) -> bool {
        self.trimmed.contains(&self.partition_of(sku))
    }

    /// As [`Self::is_ahead`].
    pub(super) fn is_ahead_for(&self, sku: &Sku) -> bool {
        self.ahead.contains(&self.partition_of(sku))
    }
}
