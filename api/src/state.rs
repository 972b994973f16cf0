//! What the handlers share.

use std::sync::Arc;

use orderflow_database::DatabaseReader;
use orderflow_schemas::Lifecycle;
use orderflow_sinks::Progress;
use orderflow_topics::Topics;

use crate::health::Health;

/// Writes all metrics in the text format of Prometheus.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What the handlers share. Clones are cheap.
#[derive(Clone)]
pub struct Api {
    /// The database. Handlers reach it through [`crate::store::Store`], which waits for it.
    pub database: Arc<dyn DatabaseReader>,
    /// How far the database is.
    pub progress: Progress,
    /// The log.
    pub topics: Arc<dyn Topics>,
    /// The states that orders can have.
    pub lifecycle: Arc<Lifecycle>,
    /// How the parts of the system are.
    pub health: Health,
    /// The metrics.
    pub metrics: RenderMetrics,
}
