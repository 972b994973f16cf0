//! What opening a log found.

use std::{collections::BTreeMap, path::PathBuf};

use orderflow_schemas::{Offset, TopicPartition};

/// What opening found, for the owner's log and for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// The segments with records, or ready for them.
    pub segments: usize,
    /// The stored records of each partition that has had any.
    pub partitions: BTreeMap<TopicPartition, std::ops::Range<Offset>>,
    /// The torn tail that was cut, or ignored when opened read-only.
    pub cut: Option<Cut>,
    /// The sealed segments that were scanned since their index file was missing or wrong.
    pub indexes_rebuilt: usize,
}

/// A torn tail: what a crash left of appends that nobody had been told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The file.
    pub file: PathBuf,
    /// Where in the file the tail starts.
    pub position: u64,
    /// How many bytes there were not zero or in front of one that was not.
    pub bytes: u64,
}
