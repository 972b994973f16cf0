//! One life of the process: the log, the runners, the sink driver and ingest on one simulated disk.
//!
//! It is assembled as in the binary, but nothing runs by itself. Tasks wait to be polled, and the log's writer and
//! allocator wait for their steps.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use orderflow_feed::Feed;
use orderflow_ingest::Ingest;
use orderflow_processors::Processor;
use orderflow_runner::{
    processing::{LocalSnapshots, Runner, RunnerError, Snapshots},
    sink_driver::{SinkDriver, SinkDriverError},
};
use orderflow_schemas::{Partition, Topic, TopicPartition};
use orderflow_sinks::{Progress, Sink};
use orderflow_topics::{
    EmbeddedLog, Topics,
    embedded::{OpenError, Steps},
};
use orderflow_world::World;
use tokio_util::sync::CancellationToken;

use crate::{
    at_once,
    check::Truth,
    disk::Mount,
    executor::{Executor, Group},
    ingest::{self, Answers, Command, RequestId},
    plan::{Plan, Rules},
    wire::Wire,
    world::SimWorld,
};

/// The data directory of the process.
pub const DATA: &str = "/data";

/// The failure of a part of the process.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// A runner failed.
    #[error(transparent)]
    Runner(#[from] RunnerError),
    /// The sink driver failed.
    #[error(transparent)]
    Sink(#[from] SinkDriverError),
}

/// The failures of a process so far. Clones share them.
#[derive(Clone, Default)]
struct Failures(Arc<Mutex<Vec<Failure>>>);

impl Failures {
    fn add(&self, failure: Failure) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
    }

    fn take(&self) -> Option<Failure> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }
}

/// What starting a part of a process needs.
pub struct Parts<'a> {
    pub plan: &'a Plan,
    pub rules: &'a Rules,
    pub mount: &'a Mount,
    pub world: &'a SimWorld,
    pub executor: &'a mut Executor,
}

/// A running process.
pub struct Process {
    /// The log of the process.
    pub log: Arc<EmbeddedLog>,
    /// The work of the log's threads, in steps.
    pub steps: Steps,
    /// The log as the loops see it.
    pub wire: Wire,
    /// The events of the log, for all sinks that this process starts.
    feed: Feed,
    /// The write API.
    ingest: Arc<Ingest>,
    runners: BTreeMap<u64, TopicPartition>,
    last_runner: u64,
    failures: Failures,
    stop: CancellationToken,
    mount: Mount,
}

/// The partitions of all topics.
pub fn partitions(plan: &Plan) -> Vec<TopicPartition> {
    let (orders, stock) = (plan.order_partitions, plan.stock_partitions);
    let topics = [
        (Topic::OrdersCommands, orders),
        (Topic::OrdersEvents, orders),
        (Topic::StockCommands, stock),
        (Topic::StockEvents, stock),
        (Topic::DeadLetters, 1),
    ];
    topics
        .into_iter()
        .flat_map(|(topic, count)| (0..count).map(move |n| TopicPartition::new(topic, n)))
        .collect()
}

/// The partitions of commands.
pub fn inputs(plan: &Plan) -> impl Iterator<Item = TopicPartition> {
    partitions(plan).into_iter().filter(|topic_partition| {
        matches!(topic_partition.topic, Topic::OrdersCommands | Topic::StockCommands)
    })
}

/// Opens the log and creates its topics.
pub fn open(parts: &Parts<'_>, bounded: bool) -> Result<(EmbeddedLog, Steps), OpenError> {
    let mut settings = parts.plan.log.clone();
    settings.bytes_max = settings.bytes_max.filter(|_| bounded);
    settings.new_id = Some("simulated".parse().expect("it is visible ASCII"));
    let path = Path::new(DATA).join("log");
    let (log, steps, _) = EmbeddedLog::open_stepped(Arc::new(parts.mount.clone()), path, settings)?;
    Ok((log, steps))
}

/// Creates the topics; an error is a description of the failure.
pub fn create_topics(log: &EmbeddedLog, plan: &Plan) -> Result<(), String> {
    for topic_partition in partitions(plan) {
        let count = match topic_partition.topic {
            Topic::OrdersCommands | Topic::OrdersEvents => plan.order_partitions,
            Topic::StockCommands | Topic::StockEvents => plan.stock_partitions,
            Topic::DeadLetters => 1,
        };
        at_once(log.create(topic_partition.topic, count)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

impl Process {
    /// Starts the runners and ingest on an open log.
    pub fn start(
        mut parts: Parts<'_>,
        (log, steps): (EmbeddedLog, Steps),
        truth: &Arc<Mutex<Truth>>,
        seed: u64,
    ) -> Self {
        let log = Arc::new(log);
        let wire = Wire::new(log.clone(), parts.world.clone(), truth.clone(), parts.plan.wire, seed);
        let topics: Arc<dyn Topics> = Arc::new(wire.clone());
        let feed = Feed::new(&topics, parts.plan.feed);
        let world: Arc<dyn World> = Arc::new(parts.world.clone());
        let lifecycle = parts.rules.lifecycle.clone();
        let ingest = ingest::start(world, topics, &feed, lifecycle, parts.plan.ingest.clone());
        parts.executor.adopt(Group::Ingest);
        let mut process = Self {
            log,
            steps,
            wire,
            feed,
            ingest,
            runners: BTreeMap::new(),
            last_runner: 0,
            failures: Failures::default(),
            stop: CancellationToken::new(),
            mount: parts.mount.clone(),
        };
        for topic_partition in inputs(parts.plan) {
            process.start_runner(&mut parts, topic_partition);
        }
        process
    }

    /// Starts a further runner of this partition of commands.
    pub fn start_runner(&mut self, parts: &mut Parts<'_>, topic_partition: TopicPartition) {
        self.last_runner += 1;
        self.runners.insert(self.last_runner, topic_partition);
        let group = Group::Runner(self.last_runner);
        if topic_partition.topic == Topic::OrdersCommands {
            self.spawn_runner(parts, group, parts.rules.orders(parts.plan), topic_partition.partition);
        } else {
            self.spawn_runner(
                parts,
                group,
                parts.rules.stock(parts.plan, topic_partition.partition),
                topic_partition.partition,
            );
        }
    }

    fn spawn_runner<P: Processor>(
        &self,
        parts: &mut Parts<'_>,
        group: Group,
        processor: P,
        partition: Partition,
    ) {
        let input = TopicPartition { topic: P::INPUT, partition };
        let store = LocalSnapshots::on(Arc::new(self.mount.clone()), Path::new(DATA));
        let snapshots = Snapshots::new(store, self.wire.id(), input);
        let world: Arc<dyn World> = Arc::new(parts.world.clone());
        let runner = Runner::new(
            world,
            Arc::new(self.wire.clone()),
            processor,
            partition,
            snapshots,
            parts.plan.runner,
        );
        let (stop, failures) = (self.stop.clone(), self.failures.clone());
        parts.executor.spawn(
            group,
            Box::pin(async move {
                if let Err(error) = runner.run(stop, || ()).await {
                    failures.add(error.into());
                }
            }),
        );
    }

    /// Starts the sink driver over a store.
    pub fn start_sink(&self, parts: &mut Parts<'_>, sink: Box<dyn Sink>) {
        let world: Arc<dyn World> = Arc::new(parts.world.clone());
        let topics: Arc<dyn Topics> = Arc::new(self.wire.clone());
        let progress = Progress::new(self.feed.partitions());
        let driver = SinkDriver::new(world, topics, self.feed.clone(), sink, progress, parts.plan.sink);
        let (stop, failures) = (self.stop.clone(), self.failures.clone());
        parts.executor.spawn(
            Group::Sink,
            Box::pin(async move {
                if let Err(error) = driver.run(stop).await {
                    failures.add(error.into());
                }
            }),
        );
    }

    /// Crashes one runner, selected by a number, and starts another in its place. Returns its partition.
    pub fn replace_runner(&mut self, parts: &mut Parts<'_>, chosen: usize) -> Option<TopicPartition> {
        let (id, topic_partition) = self
            .runners
            .iter()
            .nth(chosen % self.runners.len().max(1))
            .map(|(id, topic_partition)| (*id, *topic_partition))?;
        parts.executor.crash(Group::Runner(id));
        self.runners.remove(&id);
        // The partition may still have another runner. This one is then a second runner, which must do no harm.
        self.start_runner(parts, topic_partition);
        Some(topic_partition)
    }

    /// Whether a partition has more than one runner.
    pub fn has_many_runners(&self, topic_partition: TopicPartition) -> bool {
        self.runners.values().filter(|input| input.partition == topic_partition.partition).count() > 1
    }

    /// Sends a client's request. With `waits`, the client waits for the decision.
    pub fn ask(
        &self,
        executor: &mut Executor,
        topic_partition: TopicPartition,
        request: (RequestId, Command),
        waits: bool,
        answers: &Answers,
    ) {
        let task = ingest::request(self.ingest.clone(), topic_partition, request, waits, answers.clone());
        executor.spawn(Group::Ingest, task);
    }

    /// Asks the loops to stop.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether the loops were asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Returns a failure of a part, if there is one that was not returned before.
    pub fn failure(&self) -> Option<Failure> {
        self.failures.take()
    }
}
