//! The faults of a disk, and how often they happen.

/// The faults of a disk. All are off by default and may be changed at any time. Probabilities are from 0 to 1 for
/// each call. A probability of 0 takes nothing from the random generator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskFaults {
    /// The probability that a read fails.
    pub read_error: f64,
    /// The probability that a write fails after any number of its bytes, including none and all.
    pub write_error: f64,
    /// The probability that a sync of a file fails. Each sector that was not durable is then durable or not. The page
    /// cache treats all of them as clean, as Linux does: no later sync writes them, though reads show them until the
    /// power is cut.
    pub sync_error: f64,
    /// The probability that a call about names fails: open, rename, remove, list, create or sync a folder, lock. Half
    /// of the failing calls that change something have changed it.
    pub name_error: f64,
    /// Whether the disk is full: every call that makes a file longer fails.
    pub full: bool,
    /// The number of bytes that all files together may have. A call that would exceed it fails.
    pub bytes_max: Option<u64>,
    /// Whether syncs of files and folders report success without doing anything: for tests of tests.
    pub syncs_lie: bool,
}
