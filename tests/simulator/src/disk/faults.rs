//! What can go wrong with the disk, and how often.

/// The faults of a disk. All are off by default and may be changed at any time. Probabilities are from 0 to 1, for
/// each call; one that is 0 draws nothing from the generator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DiskFaults {
    /// A read fails.
    pub read_error: f64,
    /// A write fails after any number of its bytes, none and all included.
    pub write_error: f64,
    /// A sync of a file fails. Each sector that was not durable is then durable or not, and the page cache calls all
    /// of them clean, as Linux does: no later sync writes them, though reads show them until the power goes.
    pub sync_error: f64,
    /// A call about names fails: open, rename, remove, list, make or sync a folder, lock. Half of those that change
    /// something have done it.
    pub name_error: f64,
    /// There is no room: whatever makes a file longer fails.
    pub full: bool,
    /// There is room for so many bytes in all files together; what would make them more fails.
    pub bytes_max: Option<u64>,
    /// Syncs of files and folders say yes and do nothing: for tests of tests.
    pub syncs_lie: bool,
}
