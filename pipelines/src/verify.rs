//! `orderflow verify`: opens a data directory, read only, and hands it to the checks.

use anyhow::{Context, Result};
use orderflow_runner::processing::LocalSnapshots;
use orderflow_topics::embedded::OpenError;
use orderflow_verify::{Report, Room, Rules, Subject};

use crate::{database, log, settings::Settings};

/// Verifies a data directory whose log was written under these settings.
pub async fn verify(settings: &Settings, room: &Room) -> Result<Report> {
    let topics = log::open_stopped(&settings.data).map_err(explain)?;
    let audit = database::open_audit(&settings.database, &settings.data)
        .await
        .context("the database cannot be opened")?;
    let rules = Rules {
        lifecycle: settings.lifecycle.clone(),
        keys_max: settings.keys_max,
        resolved_max: settings.resolved_max,
    };
    let snapshots = LocalSnapshots::new(&settings.data);
    orderflow_verify::run(&Subject { topics, snapshots, rules, audit }, room).await
}

/// A copy that was taken in the wrong order looks like damage.
fn explain(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(OpenError::Damaged { .. }) => error.context(
            "the log cannot be verified (if this is a copy of a running server's directory, see `orderflow verify \
             --help` for the order in which to copy)",
        ),
        _ => error,
    }
}
