//! The write API's parts put together: appenders, waiters and the tasks behind them.

use std::sync::Arc;

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
    lookup::OrderLookup,
    metrics as names,
    settings::IngestSettings,
};

/// The write API.
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
    /// Cancelled first: no more work is taken.
    stopping: CancellationToken,
    /// Cancelled when all that was taken has been appended.
    reading_over: CancellationToken,
}

impl Ingest {
    /// Starts the tasks, which `world` runs. The topics must exist.
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
            let start = |at| {
                let (topics, decisions) = (Arc::clone(&topics), Arc::clone(&decisions));
                Appender::start(at, &world, topics, decisions, &settings, stopping.clone(), &tasks)
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
        }
    }

    /// Takes no more work, waits until what was taken is appended, and ends all tasks. May be called again.
    pub async fn stop(&self) {
        self.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.reading_over.cancel();
        self.readers.close();
        self.readers.wait().await;
        info!("the write API has stopped");
    }

    /// Where commands about this order go.
    pub(crate) fn partition_of_order(&self, order: OrderId) -> TopicPartition {
        let partition = order.partition(self.partitions(Topic::OrdersCommands));
        TopicPartition { topic: Topic::OrdersCommands, partition }
    }

    /// Where commands about this SKU go.
    pub(crate) fn partition_of_sku(&self, sku: &Sku) -> TopicPartition {
        let partition = RoutingHash::of(sku.as_str()).partition(self.partitions(Topic::StockCommands));
        TopicPartition { topic: Topic::StockCommands, partition }
    }

    /// How many partitions a topic of commands has.
    pub(crate) fn partitions(&self, topic: Topic) -> u16 {
        u16::try_from(self.appenders(topic).len()).expect("partitions are counted in 16 bits")
    }

    /// The appender of one partition of commands.
    pub(crate) fn appender(&self, at: TopicPartition) -> &Appender {
        let Partition(number) = at.partition;
        &self.appenders(at.topic)[usize::from(number)]
    }

    fn appenders(&self, topic: Topic) -> &[Appender] {
        if topic == Topic::StockCommands { &self.stock } else { &self.orders }
    }

    /// Refuses work once the write API is being stopped.
    pub(crate) fn check_running(&self) -> Result<(), Refusal> {
        if self.stopping.is_cancelled() { Err(Refusal::ShuttingDown) } else { Ok(()) }
    }

    /// Appends one command to a partition of commands; ready when it is durable. Dropped before that, it may be appended
    /// all the same.
    ///
    /// # Panics
    ///
    /// If the log had no such partition when this was started.
    pub async fn append(
        &self,
        at: TopicPartition,
        command: EncodedCommands,
        trace: Option<TraceParent>,
    ) -> Result<AppendedCommands, Refusal> {
        self.check_running()?;
        let answer = self.appender(at).try_submit(command, trace, None)?;
        self.durable(answer.await.unwrap_or(Err(Refusal::Unavailable))?).await
    }

    /// Appends one command, as [`Self::append`] does; ready when it is durable and decided, or durable and undecided for
    /// too long.
    ///
    /// # Panics
    ///
    /// If the log had no such partition when this was started.
    pub async fn decide(
        &self,
        at: TopicPartition,
        command: EncodedCommands,
        trace: Option<TraceParent>,
    ) -> Result<(AppendedCommands, Option<Decision>), Refusal> {
        self.check_running()?;
        let (watch, waiter) = self.decisions.open(at)?;
        let answer = self.appender(at).try_submit(command, trace, Some(watch))?;
        let placed = self.durable(answer.await.unwrap_or(Err(Refusal::Unavailable))?).await?;
        let started = self.world.instant();
        let decision = waiter.decision(self.settings.decision_timeout()).await;
        metrics::histogram!(names::DECISION_SECONDS.name)
            .record(self.world.instant().saturating_sub(started));
        if decision.is_none() {
            metrics::counter!(names::DECISION_TIMEOUTS.name).increment(1);
        }
        Ok((placed, decision))
    }

    /// Waits until what was accepted is durable.
    pub(crate) async fn durable(&self, placed: AppendedCommands) -> Result<AppendedCommands, Refusal> {
        match self.topics.durable(placed.receipt).await {
            Ok(()) => Ok(placed),
            Err(error) => {
                error!(%error, at = %placed.at, "commands may not have become durable");
                Err(Refusal::Unavailable)
            }
        }
    }
}
