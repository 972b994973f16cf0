//! The metrics of the database.

use orderflow_world::metric::{Metric, SECONDS};

/// How long a read took, by store and kind.
pub const READ_SECONDS: Metric = Metric::histogram(
    "orderflow_store_read_seconds",
    SECONDS,
    &["store", "read"],
    "duration of a read of a store, by its kind; waiting for a connection and failures included",
);

/// All of them.
pub const METRICS: &[Metric] = &[READ_SECONDS];
