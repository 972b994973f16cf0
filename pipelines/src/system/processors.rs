//! The role `processors`: one runner for each partition of commands that is assigned to this process.

use std::sync::Arc;

use orderflow_api::{Part, Status};
use orderflow_processors::{OrderProcessor, Processor, StockProcessor, stock::RESOLVED_MAX};
use orderflow_runner::processing::{LocalSnapshots, Runner, SnapshotStore, Snapshots};
use orderflow_schemas::{Partition, Topic, TopicPartition};
use orderflow_topics::{Topics, partitions_of};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::process::Process;
use crate::settings::Configuration;

/// The partitions of commands that a process decides.
pub(super) struct Assignment(Vec<TopicPartition>);

impl Assignment {
    /// All partitions of commands, for a log that belongs to one process.
    pub(super) fn all(topics: &dyn Topics) -> Self {
        let partitions = |topic| partitions_of(topics, topic);
        Self(partitions(Topic::OrdersCommands).chain(partitions(Topic::StockCommands)).collect())
    }
}

/// The processors of a process, while they recover.
pub(super) struct Processors {
    /// Closes once all processors have recovered.
    recovered: mpsc::Receiver<()>,
    health: Part,
}

impl Processors {
    /// Starts a runner for each partition assigned.
    pub(super) fn start(
        process: &mut Process,
        configuration: &Configuration,
        assignment: &Assignment,
        stop: &CancellationToken,
    ) -> Self {
        let health = process.health.part("processors");
        let (recovering, recovered) = mpsc::channel(1);
        let snapshots = LocalSnapshots::new(&configuration.data);
        let mut start = Start { process, configuration, snapshots, stop, recovering };
        for topic_partition in &assignment.0 {
            start.runner_of(*topic_partition);
        }
        Self { recovered, health }
    }

    /// Waits until all processors have recovered.
    pub(super) async fn wait_recovered(&mut self) {
        while self.recovered.recv().await.is_some() {}
        self.health.set(Status::Ready);
    }
}

/// What starting a runner needs.
struct Start<'a> {
    process: &'a mut Process,
    configuration: &'a Configuration,
    snapshots: Arc<dyn SnapshotStore>,
    stop: &'a CancellationToken,
    /// Each runner drops its clone once it has recovered.
    recovering: mpsc::Sender<()>,
}

impl Start<'_> {
    fn runner_of(&mut self, TopicPartition { topic, partition }: TopicPartition) {
        let configuration = self.configuration;
        if topic == Topic::OrdersCommands {
            let processor = OrderProcessor {
                lifecycle: configuration.lifecycle.clone(),
                stock_partitions: configuration.stock_partitions,
                keys_max: configuration.keys_max,
                change_keys_max: configuration.change_keys_max,
            };
            self.run(processor, partition);
        } else {
            let processor = StockProcessor {
                partition,
                order_partitions: configuration.order_partitions,
                change_keys_max: configuration.change_keys_max,
                resolved_max: RESOLVED_MAX,
            };
            self.run(processor, partition);
        }
    }

    fn run<P: Processor>(&mut self, processor: P, partition: Partition) {
        let (process, recovering) = (&mut *self.process, self.recovering.clone());
        let input = TopicPartition { topic: P::INPUT, partition };
        let snapshots = Snapshots::new(self.snapshots.clone(), process.topics.id(), input);
        let settings = self.configuration.processors;
        let (world, topics) = (process.world.clone(), process.topics.clone());
        let runner = Runner::new(world, topics, processor, partition, snapshots, settings);
        let stop = self.stop.clone();
        let running = async move {
            runner.run(stop, || drop(recovering)).await?;
            Ok("processor")
        };
        process.parts.spawn_on(running, process.background.handle());
    }
}
