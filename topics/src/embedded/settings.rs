//! The settings of the embedded log, with their defaults and the limits that follow from them.

use orderflow_schemas::LogId;
use serde::{Deserialize, Serialize};

use super::frame;

const MIB: u64 = 1 << 20;
/// A segment must hold a few frames, and positions within it must fit 32 bits.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 4096..=1 << 30;

/// Settings of the embedded log. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The size of a new segment file, 4 KiB to 1 GiB; default 64 MiB. May differ from that of existing segments.
    pub segment_bytes: u64,
    /// The largest append, all its batches together; default 4 MiB. Never more than half a segment.
    pub append_bytes_max: usize,
    /// Appends that wait for the disk together share a frame up to this size; default 1 MiB.
    pub frame_bytes_max: usize,
    /// How much may be accepted but not yet durable before an append waits; default 32 MiB.
    pub pending_bytes_max: usize,
    /// How much of the tail is kept in memory for readers; default 32 MiB. What is not yet durable is kept in any
    /// case.
    pub cache_bytes_max: usize,
    /// How much of what was read from the disk is kept for readers of other partitions; default 16 MiB.
    pub recent_bytes_max: usize,
    /// The size of all segments together, the preallocated one included, at which the log says it is full; default
    /// none. At least two segments.
    pub bytes_max: Option<u64>,
    /// The distance in the log after which a partition gets another entry in the sparse index; default 256 KiB.
    pub index_stride_bytes: u64,
    /// What retention removes; default nothing.
    pub retention: Retention,
    /// The identity of a log that is created; default a random one. Never in a configuration: it is for tests that want
    /// the same one each time.
    #[serde(skip)]
    pub new_id: Option<LogId>,
}

/// What retention removes: whole segments, oldest first, never records that a reader needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Segments whose last record is older than this may go; default none go by age.
    pub age_s: Option<u64>,
    /// Segments may go while all of them together are larger than this; default none go by size.
    pub bytes: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_bytes: 64 * MIB,
            append_bytes_max: 4 << 20,
            frame_bytes_max: 1 << 20,
            pending_bytes_max: 32 << 20,
            cache_bytes_max: 32 << 20,
            recent_bytes_max: 16 << 20,
            bytes_max: None,
            index_stride_bytes: MIB / 4,
            retention: Retention::default(),
            new_id: None,
        }
    }
}

impl Settings {
    /// Why these settings make no sense, if they do not.
    pub(super) fn check(&self) -> Result<(), String> {
        if !SEGMENT_BYTES.contains(&self.segment_bytes) {
            return Err(format!("segment_bytes is {}, not 4096 to 1073741824", self.segment_bytes));
        }
        if let Some(bytes_max) = self.bytes_max
            && bytes_max < 2 * self.segment_bytes
        {
            return Err(format!("bytes_max is {bytes_max}, less than two segments"));
        }
        if self.append_bytes_max == 0 || self.pending_bytes_max == 0 {
            return Err("append_bytes_max and pending_bytes_max must not be 0".to_owned());
        }
        Ok(())
    }

    /// The largest append in its encoded form. With it, a segment always has room for its first frame, one append
    /// and its closing frame.
    pub(super) fn append_limit(&self) -> usize {
        let half = usize::try_from(self.segment_bytes / 2).unwrap_or(usize::MAX);
        self.append_bytes_max.min(half)
    }

    /// How many partitions all topics together may have, so that a segment's first frame stays small.
    pub(super) fn partitions_max(&self) -> usize {
        let quarter = usize::try_from(self.segment_bytes / 4).unwrap_or(usize::MAX);
        quarter.saturating_sub(frame::HEADER_BYTES) / super::heads::HEAD_BYTES
    }

    /// The permits an append of this size takes from the bound of pending bytes: even the largest gets through.
    pub(super) fn permits(&self, size: usize) -> u32 {
        u32::try_from(size.min(self.pending_bytes_max).max(1)).unwrap_or(u32::MAX)
    }
}
