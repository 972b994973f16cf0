//! The events of a log: read, checked and decoded once for all who follow them.
//!
//! A [`Feed`] has a ring of blocks for each partition of events: what was read last, with every record's header decoded
//! and its payload decoded when somebody first asks for it. A [`Cursor`] is a place in a partition and the number of the
//! last event taken; it holds no records. Readers near the end of the log share the blocks. A reader that the ring has
//! passed reads the log for itself, and shares again once it has caught up. So a slow reader neither holds up a fast one
//! nor makes memory grow.

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
