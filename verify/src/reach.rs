//! The range that the log covers, compared with a store: where retention has removed the beginning, and where the
//! store is ahead of the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
};

use anyhow::Result;
use orderflow_schemas::{Offset, OrderId, Partition, RoutingHash, Sku, Topic, TopicPartition};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, Visibility, partitions_of};

/// The partitions of a topic in which the log has lost its beginning or the store is ahead of the log.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    topic: Topic,
    partitions: u16,
    trimmed: BTreeSet<Partition>,
    /// The offsets that each partition of the log has.
    bounds: BTreeMap<Partition, Range<Offset>>,
    /// The partitions in which the store's checkpoint is beyond the end of the log.
    ahead: BTreeSet<Partition>,
}

impl Reach {
    pub(super) async fn of(topics: &dyn Topics, topic: Topic, checkpoint: &Checkpoint) -> Result<Self> {
        let partitions = topics.partitions(topic);
        let (mut trimmed, mut ahead, mut all) = (BTreeSet::new(), BTreeSet::new(), BTreeMap::new());
        for topic_partition in partitions_of(topics, topic) {
            let bounds = topics.bounds(topic_partition, Visibility::Accepted).await?;
            if bounds.start > Offset::ZERO {
                trimmed.insert(topic_partition.partition);
            }
            if checkpoint.partition(topic_partition).next > bounds.end {
                ahead.insert(topic_partition.partition);
            }
            all.insert(topic_partition.partition, bounds);
        }
        Ok(Self { topic, partitions, trimmed, bounds: all, ahead })
    }

    /// A partition of the topic.
    pub(super) fn partition(&self, partition: Partition) -> TopicPartition {
        TopicPartition { topic: self.topic, partition }
    }

    /// Whether the log has lost the beginning of this partition to retention.
    pub(super) fn is_trimmed_in(&self, partition: Partition) -> bool {
        self.trimmed.contains(&partition)
    }

    /// Whether the log has this offset of the partition of an order's events.
    pub(super) fn has(&self, id: OrderId, offset: Offset) -> bool {
        self.bounds.get(&self.place(id).partition).is_some_and(|bounds| bounds.contains(&offset))
    }

    /// The partition of an order's events.
    pub(super) fn place(&self, id: OrderId) -> TopicPartition {
        self.partition(id.partition(self.partitions))
    }

    fn partition_of(&self, sku: &Sku) -> Partition {
        RoutingHash::of(sku.as_str()).partition(self.partitions)
    }

    /// Whether the log may have lost changes of this order to retention.
    pub(super) fn is_trimmed(&self, id: OrderId) -> bool {
        self.trimmed.contains(&self.place(id).partition)
    }

    /// Whether the store may have changes of this order that the log does not have.
    pub(super) fn is_ahead(&self, id: OrderId) -> bool {
        self.ahead.contains(&self.place(id).partition)
    }

    /// Like [`Self::is_trimmed`], for a SKU.
    pub(super) fn is_trimmed_for(&self, sku: &Sku) -> bool {
        self.trimmed.contains(&self.partition_of(sku))
    }

    /// Like [`Self::is_ahead`], for a SKU.
    pub(super) fn is_ahead_for(&self, sku: &Sku) -> bool {
        self.ahead.contains(&self.partition_of(sku))
    }

    /// The reach of a log of one partition, which has these offsets, and a store that is not ahead of it.
    #[cfg(test)]
    pub(super) fn of_one(topic: Topic, offsets: Range<u64>) -> Self {
        let only = Partition(0);
        let trimmed = (offsets.start > 0).then_some(only).into_iter().collect();
        let bounds = BTreeMap::from([(only, Offset(offsets.start)..Offset(offsets.end))]);
        Self { topic, partitions: 1, trimmed, bounds, ahead: BTreeSet::new() }
    }
}
