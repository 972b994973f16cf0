//! Encoding of an append, in the caller's task and outside every lock: one buffer with the bodies of all its batches.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    codec::as_u32,
    frame::{self, SECTION_BYTES},
    partition::PartitionLog,
    settings::LogSettings,
};
use crate::{AppendRejection, Batch};

/// An encoded append, ready to be admitted.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) parts: Vec<Part>,
    /// The bodies of all parts, one after the other.
    pub(super) body: Bytes,
    /// The bytes that the append takes in a frame's payload, section headers included.
    pub(super) size: usize,
    /// The permits that the append takes from the bound of pending bytes.
    pub(super) permits: u32,
}

/// One batch of an encoded append.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) partition: Arc<PartitionLog>,
    pub(super) count: u32,
    pub(super) body: std::ops::Range<usize>,
}

impl Encoded {
    /// Encodes the batches. `find` returns the partition of a batch, or `None` if it does not exist.
    pub(super) fn new<'a>(
        batches: &[Batch],
        settings: &LogSettings,
        find: impl Fn(&Batch) -> Option<&'a Arc<PartitionLog>>,
    ) -> Result<Self, AppendRejection> {
        let bodies_bytes: usize = batches.iter().map(body_bytes).sum();
        let size = bodies_bytes + batches.len() * SECTION_BYTES;
        let limit = settings.append_limit();
        if size > limit {
            return Err(AppendRejection::TooLarge { limit });
        }
        let mut body = Vec::with_capacity(bodies_bytes);
        let mut parts = Vec::with_capacity(batches.len());
        for batch in batches {
            let partition = find(batch).ok_or(AppendRejection::NoSuchPartition(batch.topic_partition))?;
            let start = body.len();
            frame::write_records(&mut body, &batch.records);
            let count = as_u32(batch.records.len());
            parts.push(Part { partition: Arc::clone(partition), count, body: start..body.len() });
        }
        Ok(Self { parts, body: Bytes::from(body), size, permits: settings.permits(size) })
    }
}

fn body_bytes(batch: &Batch) -> usize {
    batch.records.iter().map(|record| 4 + record.len()).sum()
}
