//! The metrics of the log.

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

/// All of them.
pub const METRICS: &[Metric] =
    &[APPENDED_BYTES, APPENDED_RECORDS, SYNC_SECONDS, GROUP_BYTES, CACHE_HITS, CACHE_MISSES, SEGMENTS, FULL];
