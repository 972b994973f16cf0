//! The role `sinks`: one driver for each store of the list.

use orderflow_runner::sink_driver::{SinkDriver, SinkDriverSettings};
use orderflow_sinks::{Progress, Sink};
use tokio_util::sync::CancellationToken;

use super::process::Process;

/// Starts the driver that writes events to a store until it is stopped. `progress` tells how far the store is.
pub(super) fn start(
    process: &mut Process,
    settings: SinkDriverSettings,
    sink: Box<dyn Sink>,
    progress: Progress,
    stop: &CancellationToken,
) {
    let (world, topics, feed) = (process.world.clone(), process.topics.clone(), process.feed.clone());
    let driver = SinkDriver::new(world, topics, feed, sink, progress, settings);
    let stop = stop.clone();
    let driving = async move { Ok(driver.run(stop).await.map(|()| "sink")?) };
    process.parts.spawn_on(driving, process.background.handle());
}
