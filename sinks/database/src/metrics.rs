//! The metrics of the database.

use orderflow_world::metric::{Metric, SECONDS};

/// The duration of a read, by store and kind of read.
pub const READ_SECONDS: Metric = Metric::histogram(
    "orderflow_store_read_seconds",
    SECONDS,
    &["store", "read"],
    "duration of a read of a store, by its kind; waiting for a connection and failures included",
);

/// All metrics of the database.
pub const METRICS: &[Metric] = &[READ_SECONDS];
