//! The entry at an offset of a partition of events, as far as one record alone determines it.

use std::{ops::Deref, sync::Arc};

use bytes::Bytes;
use orderflow_schemas::{DecodeError, Offset, RawRecord, Source, TopicPartition};

use crate::EventRecord;

/// The content of one offset.
#[derive(Clone, Debug)]
pub enum FeedEntry {
    /// An event of the partition's processor.
    Event(Arc<EventRecord>),
    /// A record that cannot be taken as an event.
    Unusable(Arc<UnusableRecord>),
    /// A record that a newer program wrote, in this envelope version.
    Newer(u16),
}

/// A record that cannot be taken as an event: its header cannot be read, another source wrote it, or it names no cause.
#[derive(Debug, PartialEq, Eq)]
pub struct UnusableRecord {
    /// Why the record cannot be used.
    pub reason: String,
    /// The record's number among the events of its partition, if it could be read.
    pub number: Option<u64>,
    /// The whole record as it is stored in the log.
    pub bytes: Bytes,
}

impl FeedEntry {
    /// Reads the record at `offset` of the partition; `source` is the only source that writes to that partition.
    pub fn read(topic_partition: TopicPartition, source: &Source, offset: Offset, bytes: &Bytes) -> Self {
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
            Some(cause) => {
                Self::Event(Arc::new(EventRecord::new(topic_partition, offset, cause, bytes, raw)))
            }
            None => unusable("an event without a cause".into(), Some(raw.header.number)),
        }
    }

    /// The size of the record in bytes; 0 for [`FeedEntry::Newer`].
    pub fn bytes_len(&self) -> usize {
        match self {
            Self::Event(record) => record.bytes.len(),
            Self::Unusable(record) => record.bytes.len(),
            Self::Newer(_) => 0,
        }
    }
}

/// Contiguous entries of one partition that were read together.
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

/// Contiguous entries from some offset on, shared by all readers of their block. Holding them keeps the whole block in
/// memory.
#[derive(Clone, Debug)]
pub struct FeedEntries {
    block: Arc<Block>,
    from: usize,
}

impl FeedEntries {
    /// The entries of a block from the offset `from` on, which must be in the block or at its end.
    pub(crate) fn new(block: Arc<Block>, from: Offset) -> Self {
        let from = usize::try_from(from.0 - block.first.0).expect("a block is in memory");
        Self { block, from }
    }

    /// The offset after the last entry.
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
