//! Waiting for decisions: a request that submitted a command learns the decision on it.
//!
//! For each partition of events, one task reads the durable events and looks up the waiter for the command that an
//! event answers. An appender registers a waiter under its command's source and number right before it appends, so no
//! decision can come too early. While no request is waiting, events are skipped unread.

mod reader;
mod verdict;
mod waiters;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use metrics::Gauge;
use orderflow_feed::Feed;
use orderflow_schemas::{
    Lifecycle, Offset, OrderEvent, Partition, Source, StockEvent, Topic, TopicPartition,
};
use orderflow_topics::Topics;
use orderflow_world::World;
use tokio::sync::oneshot;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{reader::DecisionReader, waiters::Waiters};
use crate::{appender::Refusal, metrics as names, settings::IngestSettings};

/// The event that decides a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecidedEvent {
    /// An event of an order.
    Order(Box<OrderEvent>),
    /// An event of stock or the catalogue.
    Stock(Box<StockEvent>),
}

/// The decision on a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The offset of the command that led to the decision, in the partition of commands: the command itself or, for an
    /// order, the last of stock's replies.
    pub cause: Offset,
    /// Whether the command repeated an earlier one.
    pub replayed: bool,
    /// The event that decides the command.
    pub event: DecidedEvent,
}

/// The sending end of a waiter. It goes to the appender together with its command.
#[derive(Debug)]
pub struct DecisionSender {
    id: u64,
    events: TopicPartition,
    sender: oneshot::Sender<Decision>,
}

/// The waiting end of a waiter. Dropping it gives up the wait.
pub struct DecisionReceiver {
    id: u64,
    events: TopicPartition,
    receiver: oneshot::Receiver<Decision>,
    decisions: Arc<Decisions>,
}

impl DecisionReceiver {
    /// The decision, or `None` if it does not come within `timeout` or can no longer come.
    pub async fn decision(mut self, timeout: Duration) -> Option<Decision> {
        let mut too_late = self.decisions.world.sleep(timeout);
        tokio::select! {
            biased;
            decision = &mut self.receiver => decision.ok(),
            () = &mut too_late => None,
        }
    }
}

impl Drop for DecisionReceiver {
    fn drop(&mut self) {
        // The receiver is closed first. From then on it cannot be registered again, so a waiter that the next line does
        // not find cannot appear later.
        self.receiver.close();
        self.decisions.lock(self.events).forget(self.id);
        let waiting = self.decisions.waiting.fetch_sub(1, Ordering::Relaxed) - 1;
        self.decisions.waiters_gauge.set(waiting as f64);
    }
}

/// The waiters of one partition of events.
struct PartitionWaiters {
    waiters: Mutex<Waiters>,
    /// Cancelled once the partition's reader knows the offset from which it reads.
    ready: CancellationToken,
}

/// All waiters of the write API, by partition of events. The tasks that read events complete them.
pub struct Decisions {
    world: Arc<dyn World>,
    orders: Vec<PartitionWaiters>,
    stock: Vec<PartitionWaiters>,
    waiting: AtomicUsize,
    waiters_max: usize,
    ids: std::sync::atomic::AtomicU64,
    waiters_gauge: Gauge,
}

impl Decisions {
    /// Starts a reader for each partition of events. The readers end once `stopping` is cancelled.
    pub fn start(
        world: &Arc<dyn World>,
        topics: &Arc<dyn Topics>,
        feed: &Feed,
        lifecycle: &Arc<Lifecycle>,
        settings: &IngestSettings,
        stopping: &CancellationToken,
        tasks: &TaskTracker,
    ) -> Arc<Self> {
        let watched = |topic| {
            let one = |_| PartitionWaiters { waiters: Mutex::default(), ready: CancellationToken::new() };
            (0..topics.partitions(topic)).map(one).collect()
        };
        let decisions = Arc::new(Self {
            world: world.clone(),
            orders: watched(Topic::OrdersEvents),
            stock: watched(Topic::StockEvents),
            waiting: AtomicUsize::new(0),
            waiters_max: settings.waiters_max,
            ids: Default::default(),
            waiters_gauge: metrics::gauge!(names::WAITERS.name),
        });
        for topic in [Topic::OrdersEvents, Topic::StockEvents] {
            for topic_partition in orderflow_topics::partitions_of(&**topics, topic) {
                let (topics, decisions) = (Arc::clone(topics), Arc::clone(&decisions));
                let lifecycle = Arc::clone(lifecycle);
                let reader =
                    DecisionReader { topic_partition, topics, feed: feed.clone(), decisions, lifecycle };
                world.spawn(Box::pin(tasks.track_future(reader.run(stopping.clone()))));
            }
        }
        decisions
    }

    /// Makes a waiter for the decision of a command in the partition `commands`. Refuses it when too many requests are
    /// waiting.
    pub fn open(
        self: &Arc<Self>,
        commands: TopicPartition,
    ) -> Result<(DecisionSender, DecisionReceiver), Refusal> {
        let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        let events = events_of(commands);
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        let waiter = DecisionReceiver { id, events, receiver, decisions: Arc::clone(self) };
        if waiting > self.waiters_max {
            return Err(Refusal::Overloaded);
        }
        self.waiters_gauge.set(waiting as f64);
        Ok((DecisionSender { id, events, sender }, waiter))
    }

    /// Waits until no decision on a command that is appended to `commands` from now on can be missed.
    pub async fn ready(&self, commands: TopicPartition) {
        self.watched(events_of(commands)).ready.cancelled().await;
    }

    /// Registers a waiter under the source and number with which its command is about to be appended.
    pub fn register(&self, source: &Source, number: u64, waiter: DecisionSender) {
        self.lock(waiter.events).register(source, number, waiter);
    }

    /// Unregisters the waiter of a command that was not appended after all.
    pub fn unregister(
        &self,
        commands: TopicPartition,
        source: &Source,
        number: u64,
    ) -> Option<DecisionSender> {
        let events = events_of(commands);
        self.lock(events).take_command(source, number).map(|entry| entry.into_watch(events))
    }

    fn watched(&self, events: TopicPartition) -> &PartitionWaiters {
        let Partition(number) = events.partition;
        let partitions = if events.topic == Topic::StockEvents { &self.stock } else { &self.orders };
        &partitions[usize::from(number)]
    }

    fn lock(&self, events: TopicPartition) -> MutexGuard<'_, Waiters> {
        // No operation on the waiters can leave them half changed.
        self.watched(events).waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partition of events in which the commands of a partition are answered.
fn events_of(commands: TopicPartition) -> TopicPartition {
    let topic = if commands.topic == Topic::StockCommands { Topic::StockEvents } else { Topic::OrdersEvents };
    TopicPartition { topic, partition: commands.partition }
}

#[cfg(test)]
mod tests;
