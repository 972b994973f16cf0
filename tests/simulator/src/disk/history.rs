//! The operations on the disk: how many, their digest, and optionally a list.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
};

/// How many calls reached the disk, and a digest of them. Two runs with the same digest made the same calls in the
/// same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    /// Reads of files.
    pub reads: u64,
    /// Writes, truncations and allocations.
    pub writes: u64,
    /// Syncs of files and folders.
    pub syncs: u64,
    /// Calls about the names of files and folders.
    pub names: u64,
    /// The digest of all calls with names, positions, lengths and written bytes. The bytes of SQLite's files and of
    /// snapshots are left out: they contain random salts, the duration of a migration, and hash maps in any order.
    pub digest: u64,
}

/// The kinds of operations that are counted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Read,
    Write,
    Sync,
    Name,
}

/// Counts operations, and keeps a line for each if told to.
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

    /// Returns the lines kept so far, and clears them.
    pub fn take(&mut self) -> Vec<String> {
        self.lines.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Counts one operation and adds it to the digest.
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
