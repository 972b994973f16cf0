//! `orderflow verify`: opens a data directory, read only, and hands it to the checks.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use orderflow_runner::processing::LocalSnapshots;
use orderflow_topics::{
    EmbeddedLog, Topics,
    embedded::{self, OpenError},
};
use orderflow_verify::{Report, Room, Rules, Subject};

use crate::{database, settings::Settings};

/// Verifies a data directory whose log was written under these settings.
pub async fn verify(settings: &Settings, room: &Room) -> Result<Report> {
    let topics = open_log(settings)?;
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

fn open_log(settings: &Settings) -> Result<Arc<dyn Topics>> {
    let (data, folder) = (&settings.data, settings.data.join("log"));
    ensure!(folder.is_dir(), "{} holds no log; name the data directory with --data", data.display());
    let (log, opened) = match EmbeddedLog::open_read_only(folder, embedded::Settings::default()) {
        Err(error @ OpenError::Damaged { .. }) => {
            return Err(anyhow::Error::new(error).context(
                "the log cannot be verified (if this is a copy of a running server's directory, see `orderflow verify \
                 --help` for the order in which to copy)",
            ));
        }
        opened => opened?,
    };
    if let Some(cut) = opened.cut {
        tracing::info!(bytes = cut.bytes, "a torn tail, of what was never acknowledged, is left out");
    }
    Ok(Arc::new(log))
}
