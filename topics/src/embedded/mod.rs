//! The embedded log: all topics in one sequence of frames, in one directory, on one disk.
//!
//! *Layout*: `LOCK` (held by the process that writes, with its process id), `topics.json` (identity and partition
//! counts), and segment files `<LSN of the first byte>.log`; a sealed segment has an `.idx` file beside it. An LSN is a
//! byte position in the whole log. The module `frame` describes the content of a segment.
//! *Ordering*: appends are admitted one at a time and are in the log in that order, whatever their topic. One
//! `fdatasync` makes a command and everything derived from it durable. The batches of one append are in one frame, so a
//! crash keeps all of them or none. The ends of their partitions move one after the other, microseconds apart.
//! *Durability*: one writer thread writes everything that is pending as one group, calls `fdatasync`, and only then
//! reports anything as durable. Exactly one group is in progress. Space is allocated before anything is accepted into
//! it.
//! *Recovery*: a torn tail is cut; damage to what was durable is an error. See the module `recovery`.
//!
//! Rejected: a file for each partition (one sync for each; a quarter of the throughput or less), growing files (a fifth
//! of the syncs a second), io_uring (one outstanding group needs no queue), mmap (a failed write would be a signal).

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
mod topics;
mod torn_tail;
mod writer;

pub use allocator::Allocator;
pub use engine::{EmbeddedLog, Steps};
pub use error::OpenError;
pub use report::{Cut, OpenReport};
pub use retention::Removed;
pub use settings::{LogSettings, Retention};
use sync::lock;
pub use writer::{StepOutcome, Writer};
