//! The report on what opening a log found.

use std::{collections::BTreeMap, path::PathBuf};

use orderflow_schemas::{Offset, TopicPartition};

/// What opening a log found; meant for log lines and tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The number of segments in use; the active one may still be empty.
    pub segments: usize,
    /// The stored offsets of each partition that has had records.
    pub partitions: BTreeMap<TopicPartition, std::ops::Range<Offset>>,
    /// The torn tail that was cut, or ignored if the log was opened read-only.
    pub cut: Option<Cut>,
    /// The number of sealed segments that were scanned because their index file was missing or wrong.
    pub indexes_rebuilt: usize,
}

/// A torn tail: bytes that a crash left of appends that were never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment file with the torn tail.
    pub file: PathBuf,
    /// The position in the file at which the tail starts, in bytes.
    pub position: u64,
    /// The length of the tail up to its last byte that is not zero, in bytes.
    pub bytes: u64,
}
