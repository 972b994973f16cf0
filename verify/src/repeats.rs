//! Repeats: a record that comes again under its number must have the bytes it had, or one of the two is a lie.
//!
//! Only the newest records are remembered, by digest, so memory does not grow with history. A repeat comes soon after
//! what it repeats: it is an append whose outcome was unknown, or another instance of the same processor at work.

use std::collections::{HashMap, VecDeque};

use orderflow_schemas::RecordHeader;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

/// How many records of a partition are remembered.
const REMEMBERED_MAX: usize = 1 << 16;

/// What is known of a record that comes again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// It has the bytes it had.
    Same,
    /// It has other bytes.
    Other,
    /// What it repeats was too long ago.
    Forgotten,
}

/// The newest records of a partition.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    digests: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

impl Repeats {
    /// Remembers a record that was taken.
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

    /// Compares a record that comes again.
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
