//! The embedded log: all topics in one sequence of frames, in one directory, on one disk.
//!
//! *Layout*: `LOCK` (held by the process that writes, with its id), `topics.json` (partition counts), and segment
//! files `<LSN of the first byte>.log`, sealed ones with an `.idx` beside them. An LSN is a byte position in the whole
//! log. The module `frame` says what is in a segment.
//! *Ordering*: appends are admitted one at a time and are in the log in that order, whatever their topic; one
//! `fdatasync` settles a command and everything derived from it. The batches of one append are in one frame, so a crash
//! keeps all or none; the ends of their partitions move one after the other, microseconds apart.
//! *Durability*: one writer thread writes everything that is pending as one group, calls `fdatasync`, and only then
//! tells anybody; exactly one group is under way. Room is allocated before anything is accepted into it.
//! *Recovery*: a torn tail is cut, damage to what was durable is an error; see the module `recovery`.
//!
//! Rejected: a file for each partition (a sync for each, a quarter of the throughput and less), growing files (a fifth of
//! the syncs a second), io_uring (one outstanding group needs no queue), mmap (a failed write would be a signal).

mod admission;
mod allocator;
mod cache;
mod catalog;
mod codec;
mod encode;
mod engine;
mod error;
mod frame;
mod heads;
mod index;
mod partition;
mod read;
mod recent_frames;
mod recovery;
mod replay;
mod report;
mod retention;
mod room;
mod scan;
mod segment;
mod settings;
mod shared;
mod sync;
mod tail;
mod topics;
mod writer;

pub use allocator::Allocator;
pub use engine::{EmbeddedLog, Steps};
pub use error::OpenError;
pub use report::{Cut, OpenReport};
pub use retention::Removed;
pub use settings::{LogSettings, Retention};
use sync::lock;
pub use writer::{StepOutcome, Writer};
