//! Following one partition of events, each taken once.
//!
//! A partition of events has one source, the processor of the commands partition of the same number, which numbers its
//! events 1, 2, 3 …. A number that was taken is skipped, a gap stops the reader: something has lost records, and going on
//! would make what it builds wrong for good. If not even the number of a record can be read, the next event may be one
//! ahead; the mark remembers that.

use std::sync::Arc;

use orderflow_schemas::{Offset, TopicPartition, envelope::ENVELOPE_VERSION};
use orderflow_topics::{ReadError, Visibility};

use crate::{Entries, Entry, EventRecord, Mark, Unusable, ring::Ring};

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
pub enum Taken {
    /// An event that was not taken before.
    Event(Arc<EventRecord>),
    /// An event that was.
    Repeat,
    /// A record that is no event. What it is about must be durable among the dead letters before a store may pass it.
    Unusable(Arc<Unusable>),
}

/// A place in a partition of events. It holds no records.
#[derive(Clone)]
pub struct Cursor {
    ring: Arc<Ring>,
    mark: Mark,
}

impl Cursor {
    pub(crate) fn new(ring: Arc<Ring>, mark: Mark) -> Self {
        Self { ring, mark }
    }

    /// The partition it reads.
    pub fn at(&self) -> TopicPartition {
        self.ring.at
    }

    /// How far it is.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// Entries from its place on, as many as were read together; none at the end. The cursor stays where it is until they
    /// are taken. May be dropped at any time.
    pub async fn read(&self) -> Result<Entries, ReadError> {
        self.ring.read(self.mark.next).await
    }

    /// Waits until there is something beyond its place. May be dropped at any time.
    pub async fn wait(&self) -> Result<(), ReadError> {
        self.ring.topics().wait_beyond(self.ring.at, self.mark.next, Visibility::Durable).await
    }

    /// Takes the entry at its place and moves past it. Stays there if that fails.
    pub fn take(&mut self, entry: &Entry) -> Result<Taken, FeedError> {
        let (at, offset) = (self.ring.at, self.mark.next);
        let taken = match entry {
            Entry::Newer(version) => {
                return Err(FeedError::NewerVersion { at, offset, version: *version });
            }
            Entry::Event(record) if self.is_next(record.header.number)? => {
                self.mark.cause = self.mark.cause.max(Some(record.cause));
                Taken::Event(record.clone())
            }
            Entry::Event(_) => Taken::Repeat,
            Entry::Unusable(record) => match record.number {
                Some(number) if !self.is_next(number)? => Taken::Repeat,
                Some(_) => Taken::Unusable(record.clone()),
                None => {
                    self.mark.unreadable += 1;
                    Taken::Unusable(record.clone())
                }
            },
        };
        self.mark.next = offset.next();
        Ok(taken)
    }

    /// Whether this number comes next, which it then has; false if it has come before.
    fn is_next(&mut self, number: u64) -> Result<bool, FeedError> {
        let expected = self.mark.number + 1;
        if number < expected {
            return Ok(false);
        }
        if number > expected.saturating_add(self.mark.unreadable) {
            let (at, offset) = (self.ring.at, self.mark.next);
            return Err(FeedError::Gap { at, offset, expected, found: number });
        }
        self.mark.number = number;
        self.mark.unreadable = 0;
        Ok(true)
    }
}
