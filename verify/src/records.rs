//! Reads a partition from its start in bounded chunks.

use std::{collections::VecDeque, sync::Arc};

use anyhow::Result;
use bytes::Bytes;
use orderflow_schemas::{Offset, TopicPartition};
use orderflow_topics::{Topics, Visibility};

const READ_BYTES: usize = 1 << 20;

/// The records of a partition, in the order of their offsets.
pub(super) struct Records {
    topics: Arc<dyn Topics>,
    topic_partition: TopicPartition,
    next: Offset,
    /// Whether retention has removed the partition's beginning.
    pub(super) trimmed: bool,
    chunk: VecDeque<Bytes>,
}

impl Records {
    /// Reads from the offset `from` on, or from the first record that is left.
    pub(super) async fn new(
        topics: Arc<dyn Topics>,
        topic_partition: TopicPartition,
        from: Offset,
    ) -> Result<Self> {
        let start = topics.bounds(topic_partition, Visibility::Accepted).await?.start;
        let trimmed = start > Offset::ZERO;
        Ok(Self { topics, topic_partition, next: from.max(start), trimmed, chunk: VecDeque::new() })
    }

    /// The next record and its offset; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<(Offset, Bytes)>> {
        if self.chunk.is_empty() {
            let chunk =
                self.topics.read(self.topic_partition, self.next, READ_BYTES, Visibility::Accepted).await?;
            self.chunk = chunk.records.into();
        }
        let Some(record) = self.chunk.pop_front() else { return Ok(None) };
        let offset = self.next;
        self.next = offset.next();
        Ok(Some((offset, record)))
    }
}
