//! Following one partition of events, each taken once.
//!
//! A partition of events has one source, the processor of the commands partition of the same number, which numbers its
//! events 1, 2, 3 …. A number that was taken is skipped, a gap stops the reader: something has lost records, and going on
//! would make what it builds wrong for good. If not even the number of a record can be read, the next event may be one
//! ahead; the mark remembers that.

use std::sync::Arc;

use orderflow_schemas::{Offset, TopicPartition, envelope::ENVELOPE_VERSION};
use orderflow_topics::{LogError, Visibility};

use crate::{EventRecord, FeedEntries, FeedEntry, PartitionCheckpoint, UnusableRecord, ring::Ring};

/// Why a partition of events cannot be followed. Nothing gets better by trying again.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Records are missing.
    #[error(
        "{at} has a gap at offset {offset}: event {found} where {expected} should come; the log has lost events"
    )]
    Gap {
        /// The partition.
        at: TopicPartition,
        /// The offset of the event after the gap.
        offset: Offset,
        /// The number that should have come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// A newer program wrote this. Skipping it would lose it, so this program must be upgraded first.
    #[error(
        "{at}, offset {offset}: written in envelope version {version}, this program reads up to {ENVELOPE_VERSION}; \
         upgrade it"
    )]
    NewerVersion {
        /// The partition.
        at: TopicPartition,
        /// The record's offset.
        offset: Offset,
        /// The version it is in.
        version: u16,
    },
}

/// What came of one entry.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// An event that was not taken before.
    Event(Arc<EventRecord>),
    /// An event that was.
    Repeat,
    /// A record that is no event. What it is about must be durable among the dead letters before a store may pass it.
    Unusable(Arc<UnusableRecord>),
}

/// A place in a partition of events. It holds no records.
#[derive(Clone)]
pub struct Cursor {
    ring: Arc<Ring>,
    checkpoint: PartitionCheckpoint,
}

impl Cursor {
    pub(crate) fn new(ring: Arc<Ring>, checkpoint: PartitionCheckpoint) -> Self {
        Self { ring, checkpoint }
    }

    /// The partition it reads.
    pub fn at(&self) -> TopicPartition {
        self.ring.at
    }

    /// How far it is.
    pub fn checkpoint(&self) -> PartitionCheckpoint {
        self.checkpoint
    }

    /// Entries from its place on, as many as were read together; none at the end. The cursor stays where it is until they
    /// are taken. May be dropped at any time.
    pub async fn read(&self) -> Result<FeedEntries, LogError> {
        self.ring.read(self.checkpoint.next).await
    }

    /// Waits until there is something beyond its place. May be dropped at any time.
    pub async fn wait(&self) -> Result<(), LogError> {
        self.ring.topics().wait_beyond(self.ring.at, self.checkpoint.next, Visibility::Durable).await
    }

    /// Takes the entry at its place and moves past it. Stays there if that fails.
    pub fn take(&mut self, entry: &FeedEntry) -> Result<Delivery, FeedError> {
        let (at, offset) = (self.ring.at, self.checkpoint.next);
        let taken = match entry {
            FeedEntry::Newer(version) => {
                return Err(FeedError::NewerVersion { at, offset, version: *version });
            }
            FeedEntry::Event(record) if self.is_next(record.header.number)? => {
                self.checkpoint.cause = self.checkpoint.cause.max(Some(record.cause));
                Delivery::Event(record.clone())
            }
            FeedEntry::Event(_) => Delivery::Repeat,
            FeedEntry::Unusable(record) => match record.number {
                Some(number) if !self.is_next(number)? => Delivery::Repeat,
                Some(_) => Delivery::Unusable(record.clone()),
                None => {
                    self.checkpoint.unreadable += 1;
                    Delivery::Unusable(record.clone())
                }
            },
        };
        self.checkpoint.next = offset.next();
        Ok(taken)
    }

    /// Whether this number comes next, which it then has; false if it has come before.
    fn is_next(&mut self, number: u64) -> Result<bool, FeedError> {
        let expected = self.checkpoint.number + 1;
        if number < expected {
            return Ok(false);
        }
        if number > expected.saturating_add(self.checkpoint.unreadable) {
            let (at, offset) = (self.ring.at, self.checkpoint.next);
            return Err(FeedError::Gap { at, offset, expected, found: number });
        }
        self.checkpoint.number = number;
        self.checkpoint.unreadable = 0;
        Ok(true)
    }
}
