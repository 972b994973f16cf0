//! The names of the write API's metrics.

/// Counter, by `topic`: commands that were appended.
pub const COMMANDS: &str = "orderflow_ingest_commands_total";
/// Histogram: records of one append.
pub const APPEND_RECORDS: &str = "orderflow_ingest_append_records";
/// Counter: appends repeated because their outcome was unknown.
pub const APPEND_REPEATS: &str = "orderflow_ingest_append_repeats_total";
/// Counter, by `type`: requests refused because of a bound or the log.
pub const REFUSALS: &str = "orderflow_ingest_refusals_total";
/// Gauge: requests that wait for their decision.
pub const WAITERS: &str = "orderflow_ingest_waiters";
/// Histogram, in seconds: from a request's append to its decision.
pub const DECISION_SECONDS: &str = "orderflow_ingest_decision_seconds";
/// Counter: requests answered with 202 because their decision took too long.
pub const DECISION_TIMEOUTS: &str = "orderflow_ingest_decision_timeouts_total";
/// Counter, by `result` (`accepted`, `refused`): lines of streams.
pub const STREAM_LINES: &str = "orderflow_ingest_stream_lines_total";
