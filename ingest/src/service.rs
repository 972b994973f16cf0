//! The write API as a whole: the appenders, the waiters and the tasks behind them.

use std::{sync::Arc, time::Duration};

use metrics::Histogram;
use orderflow_feed::Feed;
use orderflow_schemas::{
    Lifecycle, OrderId, Partition, RoutingHash, Sku, Topic, TopicPartition, envelope::TraceParent,
};
use orderflow_topics::{Topics, partitions_of};
use orderflow_world::World;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, info};

use crate::{
    appender::{AppendedCommands, Appender, EncodedCommands, Refusal},
    decisions::{Decision, Decisions},
    handlers::WriteContext,
    lookup::OrderLookup,
    metrics as names,
    settings::IngestSettings,
};

/// The running write API: one appender for each partition of commands, and the readers of decisions.
pub struct Ingest {
    pub(crate) lifecycle: Arc<Lifecycle>,
    pub(crate) lookup: Arc<dyn OrderLookup>,
    pub(crate) settings: IngestSettings,
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    decisions: Arc<Decisions>,
    orders: Vec<Appender>,
    stock: Vec<Appender>,
    tasks: TaskTracker,
    readers: TaskTracker,
    /// Cancelled first: from then on no new work is taken.
    stopping: CancellationToken,
    /// Cancelled second, after every command that was taken has been appended: then the readers of decisions end.
    reading_over: CancellationToken,
    decision_seconds: Histogram,
}

impl Ingest {
    /// Starts the tasks of the appenders and the readers of decisions on `world`. The topics must exist.
    pub fn start(
        world: Arc<dyn World>,
        topics: Arc<dyn Topics>,
        feed: &Feed,
        lifecycle: Arc<Lifecycle>,
        lookup: Arc<dyn OrderLookup>,
        settings: IngestSettings,
    ) -> Self {
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let (readers, reading_over) = (TaskTracker::new(), CancellationToken::new());
        let decisions =
            Decisions::start(&world, &topics, feed, &lifecycle, &settings, &reading_over, &readers);
        let appenders = |topic| {
            let start = |topic_partition| {
                let (topics, decisions) = (Arc::clone(&topics), Arc::clone(&decisions));
                Appender::start(
                    topic_partition,
                    &world,
                    topics,
                    decisions,
                    &settings,
                    stopping.clone(),
                    &tasks,
                )
            };
            partitions_of(&*topics, topic).map(start).collect()
        };
        let (orders, stock) = (appenders(Topic::OrdersCommands), appenders(Topic::StockCommands));
        Self {
            lifecycle,
            lookup,
            settings,
            world,
            topics,
            decisions,
            orders,
            stock,
            tasks,
            readers,
            stopping,
            reading_over,
            decision_seconds: metrics::histogram!(names::DECISION_SECONDS.name),
        }
    }

    /// Takes no more work, waits until everything that was taken is appended, and ends all tasks. May be called more
    /// than once.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.reading_over.cancel();
        self.readers.close();
        self.readers.wait().await;
        info!("the write API has stopped");
    }

    /// The partition of `orders.commands` for commands about this order.
    pub(crate) fn partition_of_order(&self, order: OrderId) -> TopicPartition {
        let partition = order.partition(self.partitions(Topic::OrdersCommands));
        TopicPartition { topic: Topic::OrdersCommands, partition }
    }

    /// The partition of `stock.commands` for commands about this SKU.
    pub(crate) fn partition_of_sku(&self, sku: &Sku) -> TopicPartition {
        let partition = RoutingHash::of(sku.as_str()).partition(self.partitions(Topic::StockCommands));
        TopicPartition { topic: Topic::StockCommands, partition }
    }

    /// The number of partitions of a topic of commands.
    pub(crate) fn partitions(&self, topic: Topic) -> u16 {
        u16::try_from(self.appenders(topic).len()).expect("partitions are counted in 16 bits")
    }

    /// The appender of one partition of commands.
    pub(crate) fn appender(&self, topic_partition: TopicPartition) -> &Appender {
        let Partition(number) = topic_partition.partition;
        &self.appenders(topic_partition.topic)[usize::from(number)]
    }

    fn appenders(&self, topic: Topic) -> &[Appender] {
        if topic == Topic::StockCommands { &self.stock } else { &self.orders }
    }

    /// Refuses work once [`Self::stop`] has been called.
    pub(crate) fn check_running(&self) -> Result<(), Refusal> {
        if self.stopping.is_cancelled() { Err(Refusal::ShuttingDown) } else { Ok(()) }
    }

    /// Appends one command to a partition of commands and returns when it is durable. If the future is dropped before
    /// that, the command may be appended nevertheless.
    ///
    /// # Panics
    ///
    /// If the log had no such partition when this service was started.
    pub async fn append(
        &self,
        topic_partition: TopicPartition,
        command: EncodedCommands,
        trace: Option<TraceParent>,
    ) -> Result<AppendedCommands, Refusal> {
        self.check_running()?;
        let answer = self.appender(topic_partition).try_submit(command, trace, None)?;
        self.durable(answer.await.unwrap_or(Err(Refusal::Unavailable))?).await
    }

    /// Appends one command, as [`Self::append`] does. Returns when the command is durable and decided, or when it is
    /// durable and its decision has taken too long; the decision is `None` then.
    ///
    /// # Panics
    ///
    /// If the log had no such partition when this service was started.
    pub async fn decide(
        &self,
        topic_partition: TopicPartition,
        command: EncodedCommands,
        trace: Option<TraceParent>,
    ) -> Result<(AppendedCommands, Option<Decision>), Refusal> {
        self.decide_within(topic_partition, command, trace, self.settings.decision_timeout()).await
    }

    /// Appends one command and waits for its decision as long as the client prefers, at most as long as
    /// [`Self::decide`] does. A command with a key waits as long as that does: only the decision tells whether the key was
    /// used before, and for what.
    pub(crate) async fn decide_as_preferred(
        &self,
        topic_partition: TopicPartition,
        command: EncodedCommands,
        context: WriteContext,
        is_keyed: bool,
    ) -> Result<(AppendedCommands, Option<Decision>), Refusal> {
        let WriteContext { trace, prefer } = context;
        if is_keyed {
            return self.decide(topic_partition, command, Some(trace)).await;
        }
        if prefer.is_immediate() {
            return Ok((self.append(topic_partition, command, Some(trace)).await?, None));
        }
        let wait = prefer.wait_within(self.settings.decision_timeout());
        self.decide_within(topic_partition, command, Some(trace), wait).await
    }

    async fn decide_within(
        &self,
        topic_partition: TopicPartition,
        command: EncodedCommands,
        trace: Option<TraceParent>,
        wait: Duration,
    ) -> Result<(AppendedCommands, Option<Decision>), Refusal> {
        self.check_running()?;
        let (sender, waiter) = self.decisions.open(topic_partition)?;
        let answer = self.appender(topic_partition).try_submit(command, trace, Some(sender))?;
        let appended = self.durable(answer.await.unwrap_or(Err(Refusal::Unavailable))?).await?;
        let started = self.world.instant();
        let decision = waiter.decision(wait).await;
        // A shorter wait, as a client preferred it, would count only the decisions that are fast.
        if wait == self.settings.decision_timeout() {
            self.decision_seconds.record(self.world.instant().saturating_sub(started));
            if decision.is_none() {
                metrics::counter!(names::DECISION_TIMEOUTS.name).increment(1);
            }
        }
        Ok((appended, decision))
    }

    /// Waits until commands that the log has accepted are durable.
    pub(crate) async fn durable(&self, appended: AppendedCommands) -> Result<AppendedCommands, Refusal> {
        match self.topics.durable(appended.receipt).await {
            Ok(()) => Ok(appended),
            Err(error) => {
                error!(%error, topic_partition = %appended.topic_partition, "commands may not have become durable");
                Err(Refusal::Unavailable)
            }
        }
    }
}
