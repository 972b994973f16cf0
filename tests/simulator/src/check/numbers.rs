//! Invariant 3: each source counts 1, 2, 3 … in each partition, and a repeat has the same bytes.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderflow_schemas::{RawRecord, Source, TopicPartition};

use super::{Checked, broken};

/// The records of each source in one partition, in the order of their numbers.
#[derive(Debug)]
pub struct Numbers {
    topic_partition: TopicPartition,
    seen: usize,
    sources: BTreeMap<Source, Vec<Bytes>>,
}

impl Numbers {
    /// The numbers of an empty partition.
    pub fn new(topic_partition: TopicPartition) -> Self {
        Self { topic_partition, seen: 0, sources: BTreeMap::new() }
    }

    /// Checks the new ones of all durable records.
    pub fn check(&mut self, records: &[Bytes]) -> Checked {
        for (offset, record) in records.iter().enumerate().skip(self.seen) {
            let Ok(RawRecord { header, .. }) = RawRecord::decode(record) else {
                return broken(format!(
                    "{} offset {offset}: a record without a readable header",
                    self.topic_partition
                ));
            };
            let from = self.sources.entry(header.source.clone()).or_default();
            let index = usize::try_from(header.number).unwrap_or(0);
            match index.checked_sub(1).and_then(|index| from.get(index)) {
                Some(first) if first == record => {}
                Some(_) => {
                    return broken(format!(
                        "{} offset {offset}: number {index} of {} comes again as another record",
                        self.topic_partition,
                        header.source.as_str()
                    ));
                }
                None if index == from.len() + 1 => from.push(record.clone()),
                None => {
                    return broken(format!(
                        "{} offset {offset}: {} jumps from number {} to {index}",
                        self.topic_partition,
                        header.source.as_str(),
                        from.len()
                    ));
                }
            }
        }
        self.seen = records.len();
        Ok(())
    }

    /// The records of a source, in the order of their numbers.
    pub fn of(&self, source: &Source) -> &[Bytes] {
        self.sources.get(source).map_or(&[], Vec::as_slice)
    }
}
