//! Following one partition of events and taking each event once.
//!
//! A partition of events has one source: the processor of the commands partition with the same number, which numbers
//! its events 1, 2, 3 …. A cursor skips a number that was already taken. A gap stops the reader: the log has lost
//! records, and everything built after the gap would stay wrong. If a record's number cannot be read, the next event's
//! number may be higher by one; the checkpoint counts such records.

use std::sync::Arc;

use orderflow_schemas::{Offset, TopicPartition, envelope::ENVELOPE_VERSION};
use orderflow_topics::{LogError, Visibility};

use crate::{EventRecord, FeedEntries, FeedEntry, PartitionCheckpoint, UnusableRecord, ring::Ring};

/// Why a partition of events cannot be followed. A retry does not help.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Events are missing from the partition.
    #[error(
        "{topic_partition} has a gap at offset {offset}: event {found} where {expected} should come; the log has lost events"
    )]
    Gap {
        /// The partition of events with the gap.
        topic_partition: TopicPartition,
        /// The offset of the record after the gap.
        offset: Offset,
        /// The event number that should have come next.
        expected: u64,
        /// The event number of the record that was found instead.
        found: u64,
    },
    /// A newer program wrote the record. Skipping the record would lose it, so this program must be upgraded first.
    #[error(
        "{topic_partition}, offset {offset}: written in envelope version {version}, this program reads up to {ENVELOPE_VERSION}; \
         upgrade it"
    )]
    NewerVersion {
        /// The partition that holds the record.
        topic_partition: TopicPartition,
        /// The offset of the record in the partition.
        offset: Offset,
        /// The envelope version the record is written in.
        version: u16,
    },
}

/// The outcome of taking one entry.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// An event that was not taken before.
    Event(Arc<EventRecord>),
    /// A record whose number was already taken; it is skipped.
    Repeat,
    /// A record that cannot be taken as an event. A dead letter about it must be durable before a store's checkpoint
    /// may pass the record.
    Unusable(Arc<UnusableRecord>),
}

/// A reader's place in a partition of events. It holds no records.
#[derive(Clone)]
pub struct Cursor {
    ring: Arc<Ring>,
    checkpoint: PartitionCheckpoint,
}

impl Cursor {
    pub(crate) fn new(ring: Arc<Ring>, checkpoint: PartitionCheckpoint) -> Self {
        Self { ring, checkpoint }
    }

    /// The partition that the cursor reads.
    pub fn at(&self) -> TopicPartition {
        self.ring.topic_partition
    }

    /// How far the cursor has taken the partition's entries.
    pub fn checkpoint(&self) -> PartitionCheckpoint {
        self.checkpoint
    }

    /// Entries from the cursor's place on, as many as were read together; none at the end. The cursor does not move
    /// until the entries are taken. The future may be dropped at any time.
    pub async fn read(&self) -> Result<FeedEntries, LogError> {
        self.ring.read(self.checkpoint.next).await
    }

    /// Waits until there is a durable record at the cursor's place. The future may be dropped at any time.
    pub async fn wait(&self) -> Result<(), LogError> {
        let Self { ring, checkpoint, .. } = self;
        ring.topics().wait_beyond(ring.topic_partition, checkpoint.next, Visibility::Durable).await
    }

    /// Takes the entry at the cursor's place and moves past it. The cursor does not move if that fails.
    pub fn take(&mut self, entry: &FeedEntry) -> Result<Delivery, FeedError> {
        let (topic_partition, offset) = (self.ring.topic_partition, self.checkpoint.next);
        let taken = match entry {
            FeedEntry::Newer(version) => {
                return Err(FeedError::NewerVersion { topic_partition, offset, version: *version });
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

    /// Whether `number` comes next; if so, the checkpoint advances to it. False if it was taken before.
    fn is_next(&mut self, number: u64) -> Result<bool, FeedError> {
        let expected = self.checkpoint.number + 1;
        if number < expected {
            return Ok(false);
        }
        if number > expected.saturating_add(self.checkpoint.unreadable) {
            let (topic_partition, offset) = (self.ring.topic_partition, self.checkpoint.next);
            return Err(FeedError::Gap { topic_partition, offset, expected, found: number });
        }
        self.checkpoint.number = number;
        self.checkpoint.unreadable = 0;
        Ok(true)
    }
}
