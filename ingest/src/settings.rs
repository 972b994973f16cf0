//! The settings of the write API. Every queue, batch, retry and wait has its bound here.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The settings of the write API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IngestSettings {
    /// How long a request waits for its decision before it is answered with 202. With a longer wait than the maximum, a
    /// connection could be closed as silent before its answer.
    #[schemars(range(min = 1, max = 60), extend("x-flag" = "decision-within-s"))]
    pub decision_within_s: u64,
    /// Requests that may wait for their decision. Beyond it: 503 `overloaded`.
    #[schemars(range(min = 1))]
    pub waiters_max: usize,
    /// The longest line of a stream, without its end.
    #[schemars(range(min = 64))]
    pub line_bytes_max: usize,
    /// Requests that may wait to be appended, for each partition. Beyond it: 503 `overloaded`.
    #[schemars(range(min = 1))]
    pub queue_requests_max: usize,
    /// Bytes that may wait to be appended, for each partition.
    #[schemars(range(min = 1_048_576, max = 268_435_455))]
    pub queue_bytes_max: usize,
    /// Records that one append gathers.
    #[schemars(range(min = 1))]
    pub append_records_max: usize,
    /// Bytes after which an append gathers no more.
    #[schemars(range(min = 1))]
    pub append_bytes_max: usize,
    /// How long an append whose outcome is unknown is repeated.
    pub append_retry_ms_max: u64,
    /// The longest pause between two repeats; the first is a hundredth of it.
    #[schemars(range(min = 1))]
    pub append_pause_ms_max: u64,
    /// Lines of a stream that are appended together, for each partition.
    #[schemars(range(min = 1))]
    pub stream_lines_max: usize,
    /// Bytes of a stream that are appended together, for each partition.
    #[schemars(range(min = 1))]
    pub stream_bytes_max: usize,
    /// Appends of one stream that may be in flight.
    #[schemars(range(min = 1))]
    pub stream_appends_max: usize,
    /// Rejected lines that the response to a stream describes; further ones are only counted.
    pub stream_refusals_max: usize,
}

impl Default for IngestSettings {
    fn default() -> Self {
        Self {
            decision_within_s: 10,
            waiters_max: 20_000,
            line_bytes_max: 256 << 10,
            queue_requests_max: 4096,
            queue_bytes_max: 16 << 20,
            append_records_max: 4096,
            append_bytes_max: 1 << 20,
            append_retry_ms_max: 30_000,
            append_pause_ms_max: 1_000,
            stream_lines_max: 512,
            stream_bytes_max: 256 << 10,
            stream_appends_max: 64,
            stream_refusals_max: 1_000,
        }
    }
}

impl IngestSettings {
    /// [`Self::decision_within_s`] as a duration.
    pub fn decision_timeout(&self) -> Duration {
        Duration::from_secs(self.decision_within_s)
    }
}
