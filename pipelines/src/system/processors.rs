//! The processors of a system: a runner for each partition of commands.

use std::sync::Arc;

use anyhow::Result;
use orderflow_processors::{OrderProcessor, Processor, StockProcessor};
use orderflow_runner::processing::{Runner, Settings as RunnerSettings, SnapshotStore, Snapshots};
use orderflow_schemas::{Partition, TopicPartition};
use orderflow_topics::Topics;
use orderflow_world::World;
use tokio::{sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{background::Background, settings::Settings};

/// What starting the runners takes.
pub(super) struct StartRunners<'a> {
    pub(super) world: &'a Arc<dyn World>,
    pub(super) settings: &'a Settings,
    pub(super) topics: &'a Arc<dyn Topics>,
    pub(super) snapshots: Arc<dyn SnapshotStore>,
    pub(super) background: &'a Background,
    pub(super) parts: &'a mut JoinSet<Result<&'static str>>,
    pub(super) stop: &'a CancellationToken,
}

impl StartRunners<'_> {
    /// Starts a runner for each partition of commands. The receiver ends once all have recovered.
    pub(super) fn all(&mut self) -> mpsc::Receiver<()> {
        let (settings, (recovering, recovered)) = (self.settings, mpsc::channel(1));
        for partition in (0..settings.order_partitions).map(Partition) {
            let processor = OrderProcessor {
                lifecycle: settings.lifecycle.clone(),
                stock_partitions: settings.stock_partitions,
                keys_max: settings.keys_max,
            };
            self.one(processor, partition, recovering.clone());
        }
        for partition in (0..settings.stock_partitions).map(Partition) {
            let processor = StockProcessor {
                partition,
                order_partitions: settings.order_partitions,
                keys_max: settings.keys_max,
                resolved_max: settings.resolved_max,
            };
            self.one(processor, partition, recovering.clone());
        }
        recovered
    }

    fn one<P: Processor>(&mut self, processor: P, partition: Partition, recovering: mpsc::Sender<()>) {
        let settings = self.settings;
        let snapshots = Snapshots::new(self.snapshots.clone(), TopicPartition { topic: P::INPUT, partition });
        let how = RunnerSettings { snapshot_every: settings.snapshot_every, ..RunnerSettings::default() };
        let runner =
            Runner::new(self.world.clone(), self.topics.clone(), processor, partition, snapshots, how);
        let stop = self.stop.clone();
        let running = async move {
            runner.run(stop, || drop(recovering)).await?;
            Ok("processor")
        };
        self.parts.spawn_on(running, self.background.handle());
    }
}
