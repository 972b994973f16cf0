//! Checks repeats: a record with a number that was used before must have the same bytes. Otherwise one of the two
//! records is wrong.
//!
//! Only the newest records are remembered, by digest, so memory does not grow with history. A repeat follows soon
//! after the record it repeats. Its cause is an append with an unknown outcome, or another instance of the same
//! processor.

use std::collections::{HashMap, VecDeque};

use orderflow_schemas::RecordHeader;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// How many records of a partition are remembered.
const REMEMBERED_MAX: usize = 1 << 16;

/// The result of comparing a repeat with the record it repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// The bytes are the same.
    Same,
    /// The bytes differ.
    Other,
    /// The earlier record is no longer remembered.
    Forgotten,
}

/// The newest records of a partition.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    digests: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl Repeats {
    /// Remembers a record that is not a repeat.
    pub(super) fn remember(&mut self, header: &RecordHeader, record: &[u8]) {
        let key = key(header);
        if self.digests.insert(key, xxh3_64(record)).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.digests.remove(&oldest);
        }
    }

    /// Compares a repeat with the record it repeats.
    pub(super) fn compare(&self, header: &RecordHeader, record: &[u8]) -> Repeat {
        match self.digests.get(&key(header)) {
            None => Repeat::Forgotten,
            Some(digest) if *digest == xxh3_64(record) => Repeat::Same,
            Some(_) => Repeat::Other,
        }
    }
}

fn key(header: &RecordHeader) -> u64 {
    xxh3_64_with_seed(header.source.as_str().as_bytes(), header.number)
}
