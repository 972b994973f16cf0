//! Watching over the log.

use std::{sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use orderflow_topics::Engine;
use orderflow_world::World;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::metrics_endpoint;

/// How often the log is maintained, and metrics are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

/// Ends the system when the log fails, and has it maintained.
pub(super) fn watch_log(
    engine: &Arc<dyn Engine>,
    world: &Arc<dyn World>,
    parts: &mut JoinSet<Result<&'static str>>,
    stop: &CancellationToken,
) {
    let (engine, world, stop) = (engine.clone(), world.clone(), stop.clone());
    parts.spawn(async move {
        // Readers say what they need as they start; the first look comes after that.
        let mut every = tokio::time::interval_at(tokio::time::Instant::now() + UPKEEP_EVERY, UPKEEP_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok("log"),
                why = engine.failed() => return Err(anyhow!("the log failed: {why}")),
                _ = every.tick() => {
                    metrics_endpoint::upkeep();
                    match engine.clone().maintain(world.now()).await {
                        Ok(()) => tracing::debug!("retention has looked"),
                        Err(error) => tracing::warn!(%error, "the log could not be maintained"),
                    }
                }
            }
        }
    });
}
