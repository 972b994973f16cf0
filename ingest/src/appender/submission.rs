//! What an appender is given, and the result it returns.

use std::sync::Arc;

use orderflow_schemas::{Offset, Payload, Source, TopicPartition, envelope::TraceParent};
use orderflow_topics::Receipt;
use orderflow_web::Problem;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::decisions::DecisionSender;

/// Commands of one kind, serialised one after the other into one buffer.
#[derive(Debug, Default)]
pub struct EncodedCommands {
    kind: &'static str,
    json: Vec<u8>,
    ends: Vec<usize>,
}

impl EncodedCommands {
    /// A single command.
    pub fn of(command: &impl Payload) -> Self {
        let mut commands = Self::default();
        commands.push(command);
        commands
    }

    /// A single command of any kind, given as its JSON.
    pub fn raw(kind: &'static str, json: &[u8]) -> Self {
        Self { kind, json: json.to_vec(), ends: vec![json.len()] }
    }

    /// Adds a command, which must be of the same kind as the others. Panics otherwise.
    pub fn push(&mut self, command: &impl Payload) {
        assert!(self.is_empty() || self.kind == command.kind(), "commands are gathered by kind");
        self.kind = command.kind();
        serde_json::to_writer(&mut self.json, command)
            .expect("commands have string keys and memory takes all bytes");
        self.ends.push(self.json.len());
    }

    /// The kind of the commands, as records name it. Empty if there are no commands.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The number of commands.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no commands.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The bytes of all commands' JSON together.
    pub fn bytes_len(&self) -> usize {
        self.json.len()
    }

    /// The JSON of each command, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.json[start..*end])
    }
}

/// Commands that the log has accepted. They are durable only once `receipt` is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendedCommands {
    /// The partition that the commands are in.
    pub topic_partition: TopicPartition,
    /// The offset of the first command.
    pub first: Offset,
    /// The number of commands. Their offsets are contiguous.
    pub count: usize,
    /// The receipt to wait for before the client is told of the commands.
    pub receipt: Receipt,
    /// The source name under which the commands are numbered.
    pub source: Source,
    /// The number of the first command from that source.
    pub number: u64,
}

impl AppendedCommands {
    /// The offset of the last command.
    pub fn last(&self) -> Offset {
        Offset(self.first.0 + self.count as u64 - 1)
    }
}

/// Why commands were not accepted, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The queue of the partition or the list of waiting requests is full.
    Overloaded,
    /// The write API is shutting down.
    ShuttingDown,
    /// The log is full. Nothing was written.
    Full,
    /// The commands are too large for one append.
    TooLarge {
        /// The most bytes that one append may have.
        limit: usize,
    },
    /// The log cannot be reached. Whether it contains the commands is unknown.
    Unavailable,
    /// The log cannot be reached. Nothing was written.
    Away,
    /// The log does not accept such an append, for the reason given.
    Refused(Arc<str>),
    /// The log does not have this partition.
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
            Refusal::NoSuchPartition(topic_partition) => {
                Self::internal(format_args!("the log has no partition {topic_partition}"))
            }
        };
        metrics::counter!(crate::metrics::REFUSALS.name, "type" => problem.slug().to_owned()).increment(1);
        problem
    }
}

/// The result of a submission.
pub type SubmissionResult = Result<AppendedCommands, Refusal>;

/// Commands in an appender's queue.
pub(super) struct Submission {
    pub commands: EncodedCommands,
    pub traceparent: Option<TraceParent>,
    /// The sender for the request that waits for the decision of the first command, if one does.
    pub waiter: Option<DecisionSender>,
    pub answer: oneshot::Sender<SubmissionResult>,
    /// The submission's share of the queue's bytes. It is returned once the append is over.
    pub _room: OwnedSemaphorePermit,
}
