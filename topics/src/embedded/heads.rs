//! Heads: the next offset of every partition at one point of the log.
//!
//! The first frame of each segment holds them, and so does its index file for the segment's end. Heads let a partition
//! keep its offsets when retention has removed all its records. They prove on opening that no segment lost records, and
//! tell retention what a segment contains. A partition that has had no records is left out.

use std::collections::BTreeMap;

use orderflow_schemas::TopicPartition;

use super::{codec::Fields, frame};

/// The size of one entry in bytes: topic u16 · partition u16 · offset u64.
pub(super) const HEAD_BYTES: usize = 12;

/// The next offset of every partition that has had records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heads(BTreeMap<TopicPartition, u64>);

impl Heads {
    pub(super) fn get(&self, topic_partition: TopicPartition) -> u64 {
        self.0.get(&topic_partition).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, topic_partition: TopicPartition, offset: u64) {
        if offset > 0 {
            self.0.insert(topic_partition, offset);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TopicPartition, u64)> {
        self.0.iter().map(|(topic_partition, offset)| (*topic_partition, *offset))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn write(&self, buffer: &mut Vec<u8>) {
        for (topic_partition, offset) in self.iter() {
            buffer.extend_from_slice(&topic_partition.topic.id().to_le_bytes());
            buffer.extend_from_slice(&topic_partition.partition.0.to_le_bytes());
            buffer.extend_from_slice(&offset.to_le_bytes());
        }
    }

    /// Reads entries up to the end of `bytes`. `None` if they are malformed.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let mut heads = Self::default();
        while !fields.is_empty() {
            let topic_partition = frame::read_partition(&mut fields)?;
            heads.set(topic_partition, fields.u64()?);
        }
        Some(heads)
    }
}

impl FromIterator<(TopicPartition, u64)> for Heads {
    fn from_iter<I: IntoIterator<Item = (TopicPartition, u64)>>(entries: I) -> Self {
        Self(entries.into_iter().filter(|(_, offset)| *offset > 0).collect())
    }
}
