//! The names of the metrics of this crate.

/// Counter: bytes of frames that became durable.
pub const APPENDED_BYTES: &str = "orderflow_log_appended_bytes_total";
/// Counter: records that became durable.
pub const APPENDED_RECORDS: &str = "orderflow_log_appended_records_total";
/// Histogram: seconds one `fdatasync` took.
pub const SYNC_SECONDS: &str = "orderflow_log_sync_seconds";
/// Histogram: bytes written before one `fdatasync`.
pub const GROUP_BYTES: &str = "orderflow_log_group_bytes";
/// Counter: reads answered from the cached tail.
pub const CACHE_HITS: &str = "orderflow_log_cache_hits_total";
/// Counter: reads that went to the disk.
pub const CACHE_MISSES: &str = "orderflow_log_cache_misses_total";
/// Gauge: segment files, the preallocated one included.
pub const SEGMENTS: &str = "orderflow_log_segments";
/// Gauge: 1 while no further segment can be allocated, else 0.
pub const FULL: &str = "orderflow_log_full";
