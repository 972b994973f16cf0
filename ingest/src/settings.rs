//! What can be set about the write API. Every queue, batch, retry and wait has its bound here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The settings of the write API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The longest line of a stream, in bytes without its end. Default: 256 KiB.
    pub line_bytes_max: usize,
    /// Requests that may wait to be appended, for each partition. Over it: 503 `overloaded`. Default: 4096.
    pub queue_requests_max: usize,
    /// Bytes that may wait to be appended, for each partition. Default: 16 MiB.
    pub queue_bytes_max: usize,
    /// Records one append gathers. Default: 4096.
    pub append_records_max: usize,
    /// Bytes after which one append gathers no more. Default: 1 MiB.
    pub append_bytes_max: usize,
    /// How long an append whose outcome is unknown is repeated, in milliseconds. Default: 30 s.
    pub append_retry_ms_max: u64,
    /// The longest pause between two repeats, in milliseconds; the first is a hundredth of it. Default: 1 s.
    pub append_pause_ms_max: u64,
    /// How long a request waits for its decision, in milliseconds, before it is answered with 202. Default: 10 s.
    pub decision_ms_max: u64,
    /// Requests that may wait for their decision. Over it: 503 `overloaded`. Default: 20,000.
    pub waiters_max: usize,
    /// Lines of a stream that are appended together, for each partition. Default: 512.
    pub stream_lines_max: usize,
    /// Bytes of a stream that are appended together, for each partition. Default: 256 KiB.
    pub stream_bytes_max: usize,
    /// Appends of one stream that may be under way. Default: 64.
    pub stream_appends_max: usize,
    /// Refused lines that a stream's answer describes; further ones are only counted. Default: 1,000.
    pub stream_refusals_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            line_bytes_max: 256 << 10,
            queue_requests_max: 4096,
            queue_bytes_max: 16 << 20,
            append_records_max: 4096,
            append_bytes_max: 1 << 20,
            append_retry_ms_max: 30_000,
            append_pause_ms_max: 1_000,
            decision_ms_max: 10_000,
            waiters_max: 20_000,
            stream_lines_max: 512,
            stream_bytes_max: 256 << 10,
            stream_appends_max: 64,
            stream_refusals_max: 1_000,
        }
    }
}

impl Settings {
    /// How long a request waits for its decision.
    pub fn decision_timeout(&self) -> Duration {
        Duration::from_millis(self.decision_ms_max)
    }
}
