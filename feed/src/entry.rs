//! What stands at an offset of a partition of events, as far as it can be said of one record alone.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;
use orderflow_schemas::{DecodeError, Offset, RawRecord, Source, TopicPartition};

use crate::EventRecord;

/// What stands at one offset.
#[derive(Clone, Debug)]
pub enum FeedEntry {
    /// An event.
    Event(Arc<EventRecord>),
    /// A record that is no event.
    Unusable(Arc<UnusableRecord>),
    /// A record in an envelope of this version, which a newer program wrote.
    Newer(u16),
}

/// A record that is no event.
#[derive(Debug, PartialEq, Eq)]
pub struct UnusableRecord {
    /// Why.
    pub reason: String,
    /// The number it has among the events of its partition, if that could be read.
    pub number: Option<u64>,
    /// Its bytes.
    pub bytes: Bytes,
}

impl FeedEntry {
    /// Reads the record that stands at `at`, `offset`; `source` is who writes that partition.
    pub fn read(at: TopicPartition, source: &Source, offset: Offset, bytes: &Bytes) -> Self {
        let unusable = |reason, number| {
            Self::Unusable(Arc::new(UnusableRecord { reason, number, bytes: bytes.clone() }))
        };
        let raw = match RawRecord::decode(bytes) {
            Ok(raw) => raw,
            Err(DecodeError::Version(version)) => return Self::Newer(version),
            Err(error) => return unusable(error.to_string(), None),
        };
        if raw.header.source != *source {
            let reason = format!("written by {}, not by {}", raw.header.source.as_str(), source.as_str());
            return unusable(reason, None);
        }
        match raw.header.cause.as_ref().map(|cause| cause.offset) {
            Some(cause) => Self::Event(Arc::new(EventRecord::new(at, offset, cause, bytes, raw))),
            None => unusable("an event without a cause".into(), Some(raw.header.number)),
        }
    }

    /// How many bytes its record has.
    pub fn bytes_len(&self) -> usize {
        match self {
            Self::Event(record) => record.bytes.len(),
            Self::Unusable(record) => record.bytes.len(),
            Self::Newer(_) => 0,
        }
    }
}

/// Contiguous entries that were read together.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) first: Offset,
    pub(crate) entries: Vec<FeedEntry>,
    pub(crate) bytes: usize,
}

impl Block {
    pub(crate) fn next(&self) -> Offset {
        Offset(self.first.0 + self.entries.len() as u64)
    }
}

/// Contiguous entries from some offset on, shared with everybody who reads them. Holding them holds their bytes.
#[derive(Clone, Debug)]
pub struct FeedEntries {
    block: Arc<Block>,
    from: usize,
}

impl FeedEntries {
    /// The entries of a block from an offset on that is in it, or at its end.
    pub(crate) fn new(block: Arc<Block>, from: Offset) -> Self {
        let from = usize::try_from(from.0 - block.first.0).expect("a block is in memory");
        Self { block, from }
    }

    /// The offset after the last.
    pub fn next(&self) -> Offset {
        self.block.next()
    }
}

impl Deref for FeedEntries {
    type Target = [FeedEntry];

    fn deref(&self) -> &[FeedEntry] {
        &self.block.entries[self.from..]
    }
}
