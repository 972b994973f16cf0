//! Sends clients' requests to the real write API, with its appenders, numbering and readers of decisions.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use orderflow_feed::Feed;
use orderflow_ingest::{
    Decision, EncodedCommands, Ingest, IngestSettings, LookupError, OrderLookup, Refusal,
};
use orderflow_schemas::{
    Lifecycle, Offset, Order, OrderCommand, OrderId, Payload, Position, Source, StockCommand, TopicPartition,
};
use orderflow_topics::Topics;
use orderflow_world::{Task, World};

/// The number of a request, in the order in which requests were made.
pub type RequestId = u64;

/// The command in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A command to the order processor.
    Order(OrderCommand),
    /// A command to the stock processor.
    Stock(StockCommand),
    /// A command that no processor can read.
    Garbage,
}

impl Command {
    /// The kind of the command's record.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Order(command) => command.kind(),
            Self::Stock(command) => command.kind(),
            Self::Garbage => "garbage",
        }
    }

    /// The command in the form that the write API takes.
    fn commands(&self) -> EncodedCommands {
        match self {
            Self::Order(command) => EncodedCommands::of(command),
            Self::Stock(command) => EncodedCommands::of(command),
            Self::Garbage => EncodedCommands::raw(self.kind(), b"{}"),
        }
    }

    /// The JSON of the payload.
    pub fn json(&self) -> Vec<u8> {
        self.commands().iter().flatten().copied().collect()
    }
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The command is durable. The fields tell where it is and how it was numbered.
    Acknowledged {
        /// The partition of the command.
        topic_partition: TopicPartition,
        /// The offset of the command; of one copy if it was appended twice.
        offset: Offset,
        /// The source that numbered the command.
        source: Source,
        /// The number of the command from that source.
        number: u64,
        /// The decision about the command, if the client waited for it.
        decision: Option<Decision>,
    },
    /// The command was not accepted, and never will be.
    Refused,
    /// The command may have been accepted.
    Unknown,
}

/// The answers that clients got. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<BTreeMap<RequestId, Answer>>>);

impl Answers {
    fn give(&self, request: RequestId, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, answer);
    }

    /// Returns the answers since the last call.
    pub fn take(&self) -> BTreeMap<RequestId, Answer> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// No lookup of finished orders: only handlers need it, and the simulator has none.
struct NoLookup;

#[async_trait]
impl OrderLookup for NoLookup {
    async fn order(&self, _: OrderId, _: &Position) -> Result<Option<Order>, LookupError> {
        Ok(None)
    }
}

/// Starts the write API. Its tasks are spawned on `world`.
pub fn start(
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    feed: &Feed,
    lifecycle: Arc<Lifecycle>,
    settings: IngestSettings,
) -> Arc<Ingest> {
    Arc::new(Ingest::start(world, topics, feed, lifecycle, Arc::new(NoLookup), settings))
}

/// A task that sends a request. With `waits`, the client waits for the decision.
pub fn request(
    ingest: Arc<Ingest>,
    topic_partition: TopicPartition,
    (request, command): (RequestId, Command),
    waits: bool,
    answers: Answers,
) -> Task {
    Box::pin(async move {
        let commands = command.commands();
        let taken = match waits {
            true => ingest.decide(topic_partition, commands, None).await,
            false => ingest.append(topic_partition, commands, None).await.map(|placed| (placed, None)),
        };
        let answer = match taken {
            Ok((placed, decision)) => Answer::Acknowledged {
                topic_partition,
                offset: placed.first,
                source: placed.source,
                number: placed.number,
                decision,
            },
            Err(Refusal::Unavailable) => Answer::Unknown,
            Err(_) => Answer::Refused,
        };
        answers.give(request, answer);
    })
}
