//! The metrics of the log.

use metrics::{Counter, Histogram, counter, histogram};
use orderflow_world::metric::{BYTES, Metric, SECONDS};

/// Bytes of frames that became durable.
pub const APPENDED_BYTES: Metric =
    Metric::counter("orderflow_log_appended_bytes_total", &[], "bytes of the log that became durable");
/// Records that became durable.
pub const APPENDED_RECORDS: Metric =
    Metric::counter("orderflow_log_appended_records_total", &[], "records that became durable");
/// How long one `fdatasync` took.
pub const SYNC_SECONDS: Metric =
    Metric::histogram("orderflow_log_sync_seconds", SECONDS, &[], "duration of one `fdatasync`");
/// Bytes written before one `fdatasync`.
pub const GROUP_BYTES: Metric =
    Metric::histogram("orderflow_log_group_bytes", BYTES, &[], "bytes written before one `fdatasync`");
/// Reads answered from the cached tail.
pub const CACHE_HITS: Metric =
    Metric::counter("orderflow_log_cache_hits_total", &[], "reads answered from the cached tail");
/// Reads that went to the disk.
pub const CACHE_MISSES: Metric =
    Metric::counter("orderflow_log_cache_misses_total", &[], "reads that went to the disk");
/// Segment files, the preallocated one included.
pub const SEGMENTS: Metric =
    Metric::gauge("orderflow_log_segments", &[], "segment files, the preallocated one included");
/// 1 while no further segment can be allocated, else 0.
pub const FULL: Metric =
    Metric::gauge("orderflow_log_full", &[], "1 while no further segment can be allocated, else 0");

/// All metrics of this crate.
pub const METRICS: &[Metric] =
    &[APPENDED_BYTES, APPENDED_RECORDS, SYNC_SECONDS, GROUP_BYTES, CACHE_HITS, CACHE_MISSES, SEGMENTS, FULL];

/// The metrics that an open log measures all the time, looked up once.
#[derive(Debug)]
pub(crate) struct LogMetrics {
    pub(crate) appended_bytes: Counter,
    pub(crate) appended_records: Counter,
    pub(crate) sync_seconds: Histogram,
    pub(crate) group_bytes: Histogram,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
}

impl LogMetrics {
    pub(crate) fn new() -> Self {
        Self {
            appended_bytes: counter!(APPENDED_BYTES.name),
            appended_records: counter!(APPENDED_RECORDS.name),
            sync_seconds: histogram!(SYNC_SECONDS.name),
            group_bytes: histogram!(GROUP_BYTES.name),
            cache_hits: counter!(CACHE_HITS.name),
            cache_misses: counter!(CACHE_MISSES.name),
        }
    }
}
