//! Ingest, as the simulation has it: numbers commands, appends them, and acknowledges what is durable.
//!
//! One appender a partition of commands, each a source under a name that is new at each start and after a long
//! silence. An append of unknown outcome is made again under the same numbers; one that is rejected is refused to the
//! client, and its numbers are free.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use orderflow_runner::World;
use orderflow_schemas::{
    Header, Offset, OrderCommand, Payload, Source, StockCommand, Timestamp, TopicPartition, envelope,
    sources::SILENCE_MAX,
};
use orderflow_topics::{AppendError, Batch, Topics};
use tokio::sync::Notify;

use crate::{wire::Wire, world::SimWorld};

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
    fn encode(&self, buffer: &mut BytesMut, header: &Header) -> Bytes {
        match self {
            Self::Order(command) => envelope::encode(buffer, header, command),
            Self::Stock(command) => envelope::encode(buffer, header, command),
            Self::Garbage => envelope::encode_raw(buffer, header, self.kind(), b"{}"),
        }
        buffer.split().freeze()
    }

    /// Its kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Order(command) => command.kind(),
            Self::Stock(command) => command.kind(),
            Self::Garbage => "garbage",
        }
    }
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is durable: where, who numbered it, how, and what it is.
    Acknowledged {
        /// Its partition.
        at: TopicPartition,
        /// Its offset, one of them if it stands there twice.
        offset: Offset,
        /// Who numbered it.
        source: Source,
        /// Its number.
        number: u64,
        /// Its bytes.
        record: Bytes,
    },
    /// It was not taken, and never will be.
    Refused,
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

type Requests = VecDeque<(RequestId, Command)>;

/// Requests that wait for an appender. Clones share them.
#[derive(Clone, Default)]
pub struct Queue(Arc<(Mutex<Requests>, Notify)>);

impl Queue {
    /// Asks for something.
    pub fn push(&self, request: RequestId, command: Command) {
        self.lock().push_back((request, command));
        self.0.1.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take(&self, most: usize) -> Vec<(RequestId, Command)> {
        loop {
            {
                let mut requests = self.lock();
                let count = requests.len().min(most);
                if count > 0 {
                    return requests.drain(..count).collect();
                }
            }
            self.0.1.notified().await;
        }
    }
}

/// Appends the commands of one partition.
pub struct Appender {
    at: TopicPartition,
    wire: Wire,
    world: SimWorld,
    queue: Queue,
    answers: Answers,
    source: Source,
    number: u64,
    last: Timestamp,
}

/// Requests of one append at most.
const REQUESTS_MAX: usize = 4;
const RETRY_AFTER: Duration = Duration::from_millis(20);

impl Appender {
    /// An appender that is a source nobody has seen.
    pub fn new(at: TopicPartition, wire: Wire, world: SimWorld, queue: Queue, answers: Answers) -> Self {
        let (source, last) = (fresh(&world), world.now());
        Self { at, wire, world, queue, answers, source, number: 0, last }
    }

    /// Runs until it is dropped.
    pub async fn run(mut self) {
        loop {
            let requests = self.queue.take(REQUESTS_MAX).await;
            self.append(requests).await;
        }
    }

    async fn append(&mut self, requests: Vec<(RequestId, Command)>) {
        let now = self.world.now();
        if now > self.last.plus(SILENCE_MAX / 2) {
            (self.source, self.number) = (fresh(&self.world), 0);
        }
        let time = self.last.max(now);
        let records = self.number(&requests, time);
        let mut unsure = false;
        let appended = loop {
            let batch = Batch { at: self.at, records: records.clone() };
            match self.wire.append(vec![batch]).await {
                Ok(appended) => break appended,
                // After an unknown outcome a rejection of the repeat says nothing about the first attempt.
                Err(AppendError::Rejected(_)) if !unsure => {
                    for (request, _) in requests {
                        self.answers.give(request, Answer::Refused);
                    }
                    return;
                }
                Err(_) => {
                    unsure = true;
                    self.world.sleep(RETRY_AFTER).await;
                }
            }
        };
        let (first, before) = (appended.offsets.first().copied().unwrap_or_default(), self.number);
        self.number += records.len() as u64;
        self.last = time;
        let answers: Vec<_> = (0u64..).zip(requests.into_iter().zip(records)).collect();
        let (at, source, wire, to) = (self.at, self.source.clone(), self.wire.clone(), self.answers.clone());
        self.world.spawn(Box::pin(async move {
            if wire.durable(appended.receipt).await.is_err() {
                return;
            }
            for (index, ((request, _), record)) in answers {
                let (offset, number, source) = (Offset(first.0 + index), before + 1 + index, source.clone());
                to.give(request, Answer::Acknowledged { at, offset, source, number, record });
            }
        }));
    }

    fn number(&self, requests: &[(RequestId, Command)], time: Timestamp) -> Vec<Bytes> {
        let mut buffer = BytesMut::new();
        let numbered = (self.number + 1..).zip(requests);
        let record = |(number, (_, command)): (u64, &(RequestId, Command))| {
            let source = self.source.clone();
            let header = Header { source, number, time, cause: None, sent: Vec::new(), traceparent: None };
            command.encode(&mut buffer, &header)
        };
        numbered.map(record).collect()
    }
}

fn fresh(world: &SimWorld) -> Source {
    Source::new(format!("ingest-{:016x}", world.nonce())).expect("a word, a dash and hex digits are a name")
}
