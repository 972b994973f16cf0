//! Watches and maintains the log while the system runs.

use std::time::Duration;

use anyhow::anyhow;
use tokio_util::sync::CancellationToken;

use super::process::Process;
use crate::telemetry::metrics;

/// How often the log is maintained and metrics are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Stops the system when the log fails, and maintains the log regularly.
pub(super) fn watch_log(process: &mut Process, stop: &CancellationToken) {
    let (engine, world, stop) = (process.engine.clone(), process.world.clone(), stop.clone());
    process.parts.spawn(async move {
        // Readers set their pins when they start, so the first maintenance comes after that.
        let mut every = tokio::time::interval_at(tokio::time::Instant::now() + UPKEEP_EVERY, UPKEEP_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok("log"),
                why = engine.failed() => return Err(anyhow!("the log failed: {why}")),
                _ = every.tick() => {
                    metrics::upkeep();
                    match engine.clone().maintain(world.now()).await {
                        Ok(()) => tracing::debug!("retention has looked"),
                        Err(error) => tracing::warn!(%error, "the log could not be maintained"),
                    }
                }
            }
        }
    });
}
