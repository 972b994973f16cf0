//! The metrics of the write API.

use orderflow_world::metric::{Metric, RECORDS, SECONDS};

/// Commands that were appended for clients, by topic and by type, as their records name it.
pub const COMMANDS: Metric = Metric::counter(
    "orderflow_ingest_commands_total",
    &["topic", "type"],
    "commands appended for clients, by the type that their records have",
);
/// The number of records in one append.
pub const APPEND_RECORDS: Metric =
    Metric::histogram("orderflow_ingest_append_records", RECORDS, &[], "records of one append");
/// Appends repeated because their outcome was unknown.
pub const APPEND_REPEATS: Metric = Metric::counter(
    "orderflow_ingest_append_repeats_total",
    &[],
    "appends repeated because their outcome was unknown",
);
/// Requests refused because of a bound or by the log, by problem type.
pub const REFUSALS: Metric = Metric::counter(
    "orderflow_ingest_refusals_total",
    &["type"],
    "requests refused because of a bound or the log, by problem type",
);
/// Requests that are waiting for their decision.
pub const WAITERS: Metric =
    Metric::gauge("orderflow_ingest_waiters", &[], "requests that wait for their decision");
/// The time from the moment a request's command is durable to its decision.
pub const DECISION_SECONDS: Metric = Metric::histogram(
    "orderflow_ingest_decision_seconds",
    SECONDS,
    &[],
    "from the durable command of a request to its decision",
);
/// Requests answered with 202 because their decision took too long.
pub const DECISION_TIMEOUTS: Metric = Metric::counter(
    "orderflow_ingest_decision_timeouts_total",
    &[],
    "requests answered 202 because their decision took too long",
);
/// Lines of streams, by result: `accepted` or `refused`.
pub const STREAM_LINES: Metric = Metric::counter(
    "orderflow_ingest_stream_lines_total",
    &["result"],
    "lines of batches, `accepted` or `refused`",
);

/// All metrics of the write API.
pub const METRICS: &[Metric] = &[
    COMMANDS,
    APPEND_RECORDS,
    APPEND_REPEATS,
    REFUSALS,
    WAITERS,
    DECISION_SECONDS,
    DECISION_TIMEOUTS,
    STREAM_LINES,
];
