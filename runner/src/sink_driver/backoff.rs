//! Pauses between attempts of a sink.

use std::{sync::Arc, time::Duration};

use orderflow_world::World;
use tokio_util::sync::CancellationToken;

use super::{LoopControl, SinkDriverSettings};
use crate::metrics as names;

/// Pauses between attempts. Each is twice as long as the one before, up to a bound.
pub(super) struct Backoff {
    world: Arc<dyn World>,
    sink: &'static str,
    next: Duration,
    max: Duration,
}

impl Backoff {
    pub(super) fn new(world: &Arc<dyn World>, sink: &'static str, settings: &SinkDriverSettings) -> Self {
        let next = Duration::from_millis(settings.backoff_ms_min);
        Self { world: world.clone(), sink, next, max: Duration::from_millis(settings.backoff_ms_max) }
    }

    pub(super) async fn pause(
        &mut self,
        error: &(dyn std::error::Error + Sync),
        stop: &CancellationToken,
    ) -> LoopControl {
        tracing::warn!(sink = self.sink, %error, pause = ?self.next, "the sink tries again after a pause");
        metrics::counter!(names::RETRIES.name, "sink" => self.sink).increment(1);
        let paused = stop.run_until_cancelled(self.world.sleep(self.next)).await;
        self.next = (self.next * 2).min(self.max);
        if paused.is_some() { LoopControl::Continue } else { LoopControl::Stopped }
    }
}
