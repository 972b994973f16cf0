//! The Prometheus recorder of the process.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the recorder; once a process. Without it metrics cost nothing and `/metrics` is empty.
pub fn install() {
    match PrometheusBuilder::new().install_recorder() {
        Ok(handle) => drop(HANDLE.set(handle)),
        Err(error) => tracing::warn!(%error, "no metrics"),
    }
}

/// Folds what was measured since the last time; call it every few seconds. Without it samples would pile up between
/// two scrapes.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// All metrics in the text format of Prometheus.
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}
