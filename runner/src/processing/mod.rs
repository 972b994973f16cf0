//! Running a processor over a partition of the log, in the only loop that does so.
//!
//! `book` is pure: records in, records out, with all the counting of invariant 3. `recovery` and `snapshots` restore a
//! book after a restart; `runner` moves records between the log and the book; `snapshot_writer` stores snapshots beside
//! it.

mod book;
mod recovery;
mod runner;
mod settings;
mod snapshot_store;
mod snapshot_writer;
mod snapshots;
mod ticks;

#[cfg(test)]
mod tests;

pub use book::{Book, BookError, Output};
pub use recovery::{Recovered, RecoveryError, recover};
pub use runner::{Runner, RunnerError};
pub use settings::RunnerSettings;
pub use snapshot_store::{LocalSnapshots, SnapshotStore};
pub use snapshots::{SnapshotError, Snapshots};
