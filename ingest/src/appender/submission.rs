//! What is handed to an appender, and what it answers.

use std::sync::Arc;

use orderflow_schemas::{Offset, Payload, Source, TopicPartition, envelope::TraceParent};
use orderflow_topics::Receipt;
use orderflow_web::Problem;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::decisions::DecisionSender;

/// Commands of one kind, serialised one behind the other.
#[derive(Debug, Default)]
pub struct EncodedCommands {
    kind: &'static str,
    json: Vec<u8>,
    ends: Vec<usize>,
}

impl EncodedCommands {
    /// One command.
    pub fn of(command: &impl Payload) -> Self {
        let mut commands = Self::default();
        commands.push(command);
        commands
    }

    /// One command of any kind, whose JSON it already is.
    pub fn raw(kind: &'static str, json: &[u8]) -> Self {
        Self { kind, json: json.to_vec(), ends: vec![json.len()] }
    }

    /// Adds a command of the same kind.
    pub fn push(&mut self, command: &impl Payload) {
        assert!(self.is_empty() || self.kind == command.kind(), "commands are gathered by kind");
        self.kind = command.kind();
        serde_json::to_writer(&mut self.json, command)
            .expect("commands have string keys and memory takes all bytes");
        self.ends.push(self.json.len());
    }

    /// Their kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of their JSON.
    pub fn bytes_len(&self) -> usize {
        self.json.len()
    }

    /// The JSON of each.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.json[start..*end])
    }
}

/// Commands that were accepted by the log. Durable only once the receipt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendedCommands {
    /// Where they are.
    pub at: TopicPartition,
    /// The offset of the first.
    pub first: Offset,
    /// How many there are, at contiguous offsets.
    pub count: usize,
    /// What to wait for before anybody is told.
    pub receipt: Receipt,
    /// Under which name they were numbered.
    pub source: Source,
    /// The number of the first.
    pub number: u64,
}

impl AppendedCommands {
    /// The offset of the last.
    pub fn last(&self) -> Offset {
        Offset(self.first.0 + self.count as u64 - 1)
    }
}

/// Why commands were not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue is full.
    Overloaded,
    /// The write API is being stopped.
    ShuttingDown,
    /// The log has no room.
    Full,
    /// One append takes at most so many bytes.
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// The log cannot be reached; whether the commands are in it is unknown.
    Unavailable,
    /// The log cannot be reached; nothing was written.
    Away,
    /// The log does not take such an append.
    Refused(Arc<str>),
    /// The log has no such partition.
    NoSuchPartition(TopicPartition),
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let problem = match refusal {
            Refusal::Overloaded => Self::unavailable("overloaded", "too many requests are waiting", 1),
            Refusal::ShuttingDown => Self::unavailable("shutting-down", "this server is being stopped", 1),
            Refusal::Full => Self::unavailable("log-full", "the log is full; nothing was written", 10),
            Refusal::TooLarge { limit } => {
                Self::too_large("record-too-large", format!("the log takes at most {limit} bytes at once"))
            }
            Refusal::Unavailable => {
                let detail = "the log cannot be reached; the request may have been accepted; repeat it with the same \
                    idempotency key";
                Self::unavailable("log-unavailable", detail, 5)
            }
            Refusal::Away => {
                Self::unavailable("log-unavailable", "the log cannot be reached; nothing was written", 1)
            }
            Refusal::Refused(why) => Self::internal(format_args!("the log refused an append: {why}")),
            Refusal::NoSuchPartition(at) => Self::internal(format_args!("the log has no partition {at}")),
        };
        metrics::counter!(crate::metrics::REFUSALS.name, "type" => problem.slug().to_owned()).increment(1);
        problem
    }
}

/// What an appender says to a submission.
pub type SubmissionResult = Result<AppendedCommands, Refusal>;

/// Commands on their way to the log.
pub(super) struct Submission {
    pub commands: EncodedCommands,
    pub traceparent: Option<TraceParent>,
    /// Who waits for the decision of the first command.
    pub watch: Option<DecisionSender>,
    pub answer: oneshot::Sender<SubmissionResult>,
    /// Its part of the queue's bytes, given back when it has been appended.
    pub _room: OwnedSemaphorePermit,
}
