//! What was done to the disk: how often, in a digest, and on demand as a list.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

/// How many calls reached the disk, and a digest of what they were. Two runs with the same digest did the same in the
/// same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Reads of files.
    pub reads: u64,
    /// Writes, truncations and allocations.
    pub writes: u64,
    /// Syncs of files and folders.
    pub syncs: u64,
    /// Calls about names.
    pub names: u64,
    /// Of all of them, with names, positions, lengths and bytes written, those of SQLite's files and of
    /// snapshots excepted: they hold random salts, how long a migration took, and hash maps in any order.
    pub digest: u64,
}

/// The kinds that are counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Read,
    Write,
    Sync,
    Name,
}

/// Counts, and remembers what it is told to.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    pub operations: Operations,
    lines: Option<Vec<String>>,
}

impl History {
    /// Keeps a line for each operation from now on.
    pub fn keep(&mut self) {
        self.lines.get_or_insert_default();
    }

    /// The lines kept so far, which are then forgotten.
    pub fn take(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Counts one operation.
    pub fn note(&mut self, kind: Kind, what: fmt::Arguments<'_>, bytes: &[u8]) {
        let operations = &mut self.operations;
        *match kind {
            Kind::Read => &mut operations.reads,
            Kind::Write => &mut operations.writes,
            Kind::Sync => &mut operations.syncs,
            Kind::Name => &mut operations.names,
        } += 1;
        let line = what.to_string();
        let mut hasher = DefaultHasher::new();
        (operations.digest, &line, bytes).hash(&mut hasher);
        operations.digest = hasher.finish();
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{line} {:016x}", operations.digest));
        }
    }
}
