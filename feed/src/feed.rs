//! The feed of a process: one ring for each partition of events.

use std::{collections::BTreeMap, sync::Arc};

use orderflow_schemas::{Offset, Source, Topic, TopicPartition};
use orderflow_topics::{LogError, Topics, partitions_of};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Cursor, FeedEntries, PartitionCheckpoint, commands_of, ring::Ring};

/// How much a feed reads and keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeedSettings {
    /// Bytes of records that are read at once, approximately.
    #[schemars(range(min = 1))]
    pub read_bytes: usize,
    /// Bytes of records that are kept for each partition, and at least what was read last. Decoded, they take about
    /// three times as much memory.
    pub ring_bytes_max: usize,
}

impl Default for FeedSettings {
    fn default() -> Self {
        Self { read_bytes: 256 << 10, ring_bytes_max: 256 << 10 }
    }
}

/// The durable events of a log, for all readers in this process. Clones share the same rings.
#[derive(Clone)]
pub struct Feed {
    rings: Arc<BTreeMap<TopicPartition, Arc<Ring>>>,
}

impl Feed {
    /// Creates the feed of all partitions of events that the log has at present.
    pub fn new(topics: &Arc<dyn Topics>, settings: FeedSettings) -> Self {
        let events = [Topic::OrdersEvents, Topic::StockEvents];
        let partitions = events.into_iter().flat_map(|topic| partitions_of(&**topics, topic));
        let ring = |topic_partition: TopicPartition| {
            let source = Source::processor(commands_of(topic_partition).expect("these topics hold events"));
            (topic_partition, Arc::new(Ring::new(topics.clone(), topic_partition, source, settings)))
        };
        Self { rings: Arc::new(partitions.map(ring).collect()) }
    }

    /// The partitions of events that the feed covers.
    pub fn partitions(&self) -> impl Iterator<Item = TopicPartition> {
        self.rings.keys().copied()
    }

    /// A reader of one partition that takes each event once, starting after `checkpoint`.
    pub fn cursor(
        &self,
        topic_partition: TopicPartition,
        checkpoint: PartitionCheckpoint,
    ) -> Result<Cursor, LogError> {
        Ok(Cursor::new(self.ring(topic_partition)?.clone(), checkpoint))
    }

    /// Durable entries of a partition from `from` on: at least one if there is one, none at the end. Does not check for
    /// repeats and gaps. The future may be dropped at any time.
    pub async fn read(&self, topic_partition: TopicPartition, from: Offset) -> Result<FeedEntries, LogError> {
        self.ring(topic_partition)?.read(from).await
    }

    /// The number of blocks and bytes that the ring of a partition holds.
    #[cfg(test)]
    pub(crate) fn held(&self, topic_partition: TopicPartition) -> (usize, usize) {
        self.rings[&topic_partition].held()
    }

    fn ring(&self, topic_partition: TopicPartition) -> Result<&Arc<Ring>, LogError> {
        self.rings.get(&topic_partition).ok_or(LogError::NoSuchPartition(topic_partition))
    }
}
