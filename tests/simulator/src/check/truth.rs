//! Invariants 1 and 4: a record that was durable once stays durable and unchanged.
//!
//! It keeps every durable record as it was first seen. Every later read must return that record.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderflow_schemas::{Offset, TopicPartition};
use orderflow_topics::{Chunk, Topics, Visibility};

use super::{Checked, broken};
use crate::at_once;

const READ_BYTES: usize = 1 << 20;

/// All records that have ever been durable.
#[derive(Debug, Default)]
pub struct Truth {
    records: BTreeMap<TopicPartition, Vec<Bytes>>,
}

impl Truth {
    /// The durable records of a partition, from its first.
    pub fn of(&self, topic_partition: TopicPartition) -> &[Bytes] {
        self.records.get(&topic_partition).map_or(&[], Vec::as_slice)
    }

    /// The number of all records.
    pub fn len(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    /// Adds the records that have become durable.
    pub fn observe(&mut self, topics: &dyn Topics, partitions: &[TopicPartition]) -> Checked {
        for &topic_partition in partitions {
            let end = bounds(topics, topic_partition)?.end.0;
            let known = self.records.entry(topic_partition).or_default();
            if end < known.len() as u64 {
                return broken(format!(
                    "{topic_partition}: {} records were durable, {end} are left",
                    known.len()
                ));
            }
            while (known.len() as u64) < end {
                let chunk = read(topics, topic_partition, Offset(known.len() as u64))?;
                if chunk.records.is_empty() {
                    return broken(format!(
                        "{topic_partition} offset {}: durable, but nothing can be read",
                        known.len()
                    ));
                }
                known.extend(chunk.records);
            }
        }
        Ok(())
    }

    /// Reads everything stored again and compares it. Call it after the log was opened.
    pub fn compare(&self, topics: &dyn Topics, partitions: &[TopicPartition]) -> Checked {
        for &topic_partition in partitions {
            let bounds = bounds(topics, topic_partition)?;
            let known = self.of(topic_partition);
            if bounds.end.0 < known.len() as u64 {
                return broken(format!(
                    "{topic_partition}: {} records were durable, {} are left",
                    known.len(),
                    bounds.end
                ));
            }
            let mut next = bounds.start;
            while next.0 < known.len() as u64 {
                let chunk = read(topics, topic_partition, next)?;
                self.served(topic_partition, &chunk)?;
                next = chunk.next();
            }
        }
        Ok(())
    }

    /// Checks the records that a reader was served.
    pub fn served(&self, topic_partition: TopicPartition, chunk: &Chunk) -> Checked {
        let known = self.of(topic_partition);
        for (offset, record) in (chunk.from.0..).zip(&chunk.records) {
            let there = usize::try_from(offset).ok().and_then(|offset| known.get(offset));
            if there.is_some_and(|there| there != record) {
                return broken(format!(
                    "{topic_partition} offset {offset}: another record is served than was durable"
                ));
            }
        }
        Ok(())
    }
}

fn bounds(topics: &dyn Topics, topic_partition: TopicPartition) -> Checked<std::ops::Range<Offset>> {
    match at_once(topics.bounds(topic_partition, Visibility::Durable)) {
        Ok(bounds) => Ok(bounds),
        Err(error) => broken(format!("{topic_partition}: {error}")),
    }
}

fn read(topics: &dyn Topics, topic_partition: TopicPartition, from: Offset) -> Checked<Chunk> {
    match at_once(topics.read(topic_partition, from, READ_BYTES, Visibility::Durable)) {
        Ok(chunk) => Ok(chunk),
        Err(error) => broken(format!("{topic_partition} offset {from}: {error}")),
    }
}
