//! The settings of the embedded log, with their defaults and the limits that follow from them.

use orderflow_schemas::LogId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::frame;

const MIB: u64 = 1 << 20;
/// A segment must hold a few frames, and positions within it must fit 32 bits.
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 4096..=1 << 30;

/// Settings of the embedded log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LogSettings {
    /// The size of a new segment file. It may differ from that of existing segments. The largest append is half of it,
    /// which must hold what a processor decides at once.
    #[schemars(range(min = 1_048_576, max = 1_073_741_824), extend("x-flag" = "segment-bytes"))]
    pub segment_bytes: u64,
    /// The largest append, all its batches together. Never more than half a segment.
    #[schemars(range(min = 524_288))]
    pub append_bytes_max: usize,
    /// The size up to which appends that wait for the disk together share a frame.
    pub frame_bytes_max: usize,
    /// Bytes that may be accepted and not yet durable before an append waits.
    #[schemars(range(min = 1_048_576))]
    pub pending_bytes_max: usize,
    /// Bytes of the log's tail that are kept in memory for readers. What is not yet durable is kept in any case.
    #[schemars(extend("x-flag" = "cache-bytes"))]
    pub cache_bytes_max: usize,
    /// Bytes read from the disk that are kept for readers of other partitions.
    pub recent_bytes_max: usize,
    /// The size of all segments together, the preallocated one included, at which the log is full. At least two
    /// segments.
    #[schemars(extend("x-flag" = "log-bytes-max"))]
    pub bytes_max: Option<u64>,
    /// The distance in the log after which a partition gets another entry in the sparse index.
    #[schemars(range(min = 4_096))]
    pub index_stride_bytes: u64,
    /// What retention removes.
    pub retention: Retention,
    /// The identity of a log that is created; a random one unless a test wants the same one each time.
    #[serde(skip)]
    pub new_id: Option<LogId>,
}

/// What retention removes: whole segments, oldest first, never records that a reader needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Removes segments whose last record is older than this and that no reader needs.
    #[schemars(range(min = 1), extend("x-flag" = "retention-age-s"))]
    pub age_s: Option<u64>,
    /// Removes segments that no reader needs while all segments together are larger than this. At least one segment.
    #[schemars(extend("x-flag" = "retention-bytes"))]
    pub bytes: Option<u64>,
}

impl Default for LogSettings {
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

impl LogSettings {
    /// Checks the settings; an error says what is wrong with them.
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

    /// The largest append in its encoded form, in bytes. With this limit, a segment always has space for its first
    /// frame, one append and its closing frame.
    pub(super) fn append_limit(&self) -> usize {
        let half = usize::try_from(self.segment_bytes / 2).unwrap_or(usize::MAX);
        self.append_bytes_max.min(half)
    }

    /// The largest number of partitions of all topics together. It keeps a segment's first frame small.
    pub(super) fn partitions_max(&self) -> usize {
        let quarter = usize::try_from(self.segment_bytes / 4).unwrap_or(usize::MAX);
        quarter.saturating_sub(frame::HEADER_BYTES) / super::heads::HEAD_BYTES
    }

    /// The permits that an append of this size takes from the bound of pending bytes. The number never exceeds the
    /// bound, so even the largest append can pass.
    pub(super) fn permits(&self, size: usize) -> u32 {
        u32::try_from(size.min(self.pending_bytes_max).max(1)).unwrap_or(u32::MAX)
    }
}
