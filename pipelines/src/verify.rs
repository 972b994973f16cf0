//! `orderflow verify`: opens a data directory read-only and runs the checks on it.

use anyhow::Result;
use orderflow_processors::stock::RESOLVED_MAX;
use orderflow_runner::processing::LocalSnapshots;
use orderflow_topics::embedded::OpenError;
use orderflow_verify::{Report, Resources, Rules, Subject};

use crate::{log, settings::Configuration, stores};

/// Verifies a data directory. The log must have been written under these settings.
pub async fn verify(configuration: &Configuration, resources: &Resources) -> Result<Report> {
    let topics = log::open_stopped(&configuration.data).map_err(explain)?;
    let stores = stores::to_verify(configuration).await?;
    let rules = Rules {
        lifecycle: configuration.lifecycle.clone(),
        keys_max: configuration.keys_max,
        change_keys_max: configuration.change_keys_max,
        resolved_max: RESOLVED_MAX,
    };
    let snapshots = LocalSnapshots::new(&configuration.data);
    orderflow_verify::run(&Subject { topics, snapshots, rules, stores }, resources).await
}

/// Adds to an error that a copy taken in the wrong order can look like damage.
fn explain(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(OpenError::Damaged { .. }) => error.context(
            "the log cannot be verified (if this is a copy of a running server's directory, see `orderflow verify \
             --help` for the order in which to copy)",
        ),
        _ => error,
    }
}
