//! Clients' requests to the real write API: its appenders, its numbering and its readers of decisions.

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

/// A request, by the order in which they were made.
pub type RequestId = u64;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Of the order processor.
    Order(OrderCommand),
    /// Of the stock processor.
    Stock(StockCommand),
    /// What no processor can read.
    Garbage,
}

impl Command {
    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Order(command) => command.kind(),
            Self::Stock(command) => command.kind(),
            Self::Garbage => "garbage",
        }
    }

    /// It as the write API takes it.
    fn commands(&self) -> EncodedCommands {
        match self {
            Self::Order(command) => EncodedCommands::of(command),
            Self::Stock(command) => EncodedCommands::of(command),
            Self::Garbage => EncodedCommands::raw(self.kind(), b"{}"),
        }
    }

    /// The JSON of its payload.
    pub fn json(&self) -> Vec<u8> {
        self.commands().iter().flatten().copied().collect()
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is durable: where, who numbered it, how, and what was decided, if the client waited for that.
    Acknowledged {
        /// Its partition.
        at: TopicPartition,
        /// Its offset, one of them if it stands there twice.
        offset: Offset,
        /// Who numbered it.
        source: Source,
        /// Its number.
        number: u64,
        /// What was decided.
        decision: Option<Decision>,
    },
    /// It was not taken, and never will be.
    Refused,
    /// It may have been taken.
    Unknown,
}

/// The answers that clients got. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Answers(Arc<Mutex<BTreeMap<RequestId, Answer>>>);

impl Answers {
    fn give(&self, request: RequestId, answer: Answer) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(request, answer);
    }

    /// Takes the answers given since the last time.
    pub fn take(&self) -> BTreeMap<RequestId, Answer> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Orders that are over are not looked up here: handlers do that, and there are none.
struct NoLookup;

#[async_trait]
impl OrderLookup for NoLookup {
    async fn order(&self, _: OrderId, _: &Position) -> Result<Option<Order>, LookupError> {
        Ok(None)
    }
}

/// Starts the write API. Its tasks go to `world`.
pub fn start(
    world: Arc<dyn World>,
    topics: Arc<dyn Topics>,
    feed: &Feed,
    lifecycle: Arc<Lifecycle>,
    settings: IngestSettings,
) -> Arc<Ingest> {
    Arc::new(Ingest::start(world, topics, feed, lifecycle, Arc::new(NoLookup), settings))
}

/// A request on its way; `waits` if the client wants to know what is decided.
pub fn request(
    ingest: Arc<Ingest>,
    at: TopicPartition,
    (request, command): (RequestId, Command),
    waits: bool,
    answers: Answers,
) -> Task {
    Box::pin(async move {
        let commands = command.commands();
        let taken = match waits {
            true => ingest.decide(at, commands, None).await,
            false => ingest.append(at, commands, None).await.map(|placed| (placed, None)),
        };
        let answer = match taken {
            Ok((placed, decision)) => Answer::Acknowledged {
                at,
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
