//! The state that the handlers share.

use std::sync::Arc;

use orderflow_database::DatabaseReader;
use orderflow_schemas::Lifecycle;
use orderflow_sinks::Progress;
use orderflow_topics::Topics;

use crate::{customers::CustomerNames, health::Health};

/// Renders all metrics in the text format of Prometheus.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// The state that the handlers share. Clones are cheap.
#[derive(Clone)]
pub struct Api {
    /// The reads of the database. Handlers use it through [`crate::caught_up::CaughtUpReader`], which waits for the
    /// position they must see.
    pub database: Arc<dyn DatabaseReader>,
    /// The progress of the database sink: the last command of each partition that the database shows.
    pub progress: Progress,
    /// The log, of which admins may read the records.
    pub topics: Arc<dyn Topics>,
    /// The lifecycle, which names the states that orders can have.
    pub lifecycle: Arc<Lifecycle>,
    /// Finds customers by their names.
    pub customers: Arc<dyn CustomerNames>,
    /// The health of the system's parts.
    pub health: Health,
    /// Renders the metrics of the process.
    pub metrics: RenderMetrics,
}
