//! The events of a log, read, checked and decoded once for all readers in the process.
//!
//! A [`Feed`] has a ring of blocks for each partition of events: the blocks that were read last. Every record in them
//! has its header decoded; its payload is decoded when a reader first asks for it. A [`Cursor`] is a place in a
//! partition and the number of the last event taken; it holds no records. Readers near the end of the log share the
//! blocks. A reader that has fallen behind the ring reads the log itself, and shares again once it has caught up. A
//! slow reader therefore neither delays a fast one nor makes memory grow.

mod cursor;
mod entry;
mod feed;
mod record;
mod ring;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use cursor::{Cursor, Delivery, FeedError};
pub use entry::{FeedEntries, FeedEntry, UnusableRecord};
pub use feed::{Feed, FeedSettings};
pub use record::{Event, EventRecord, PartitionCheckpoint, commands_of};
