//! The `Topics` trait: what orderflow asks of a durable log, and no more.
//!
//! Small enough for an embedded log, Fluvio and Kafka alike. There are no streams, consumer groups or stored
//! offsets in it: whoever reads keeps its offset with the state it belongs to. Each engine must pass
//! [`crate::conformance`].

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use orderflow_schemas::{LogId, Offset, Partition, Topic, TopicPartition};

/// Records to append to one partition, in order. A record's bytes are opaque here and at least one byte long.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Where the records go.
    pub at: TopicPartition,
    /// The records, oldest first. Not empty.
    pub records: Vec<Bytes>,
}

/// What a read may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// All that the engine has taken, also what a power cut could still take back. For processors only.
    Accepted,
    /// Only what is as durable as an acknowledgement promises. For everything the outside can see.
    Durable,
}

/// What an acknowledgement of this engine means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `fdatasync` returned on this machine's disk.
    LocalDisk,
    /// The page caches of this many replicas hold it. With one copy a power cut can still take it.
    Replicated {
        /// How many.
        copies: u16,
    },
}

/// A point in the engine's order of appends. Waiting for it with [`Topics::durable`] waits for all before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub u64);

/// The answer to an append that was accepted.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The offset of each batch's first record, in the order of the batches.
    pub offsets: Vec<Offset>,
    /// What to wait for before anybody outside is told.
    pub receipt: Receipt,
}

/// Whole, contiguous records of one partition: the first has offset `from`, each next one more.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The offset of the first record.
    pub from: Offset,
    /// The records. Empty when there was nothing to read yet.
    pub records: Vec<Bytes>,
    /// The end of the partition, under the visibility asked for, when it was read.
    pub end: Offset,
}

impl Chunk {
    /// The offset to read from next.
    pub fn next(&self) -> Offset {
        Offset(self.from.0 + self.records.len() as u64)
    }
}

/// Why an append was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was written and nothing will be. The same append may be tried again later.
    #[error("append rejected: {0}")]
    Rejected(AppendRejection),
    /// It may have been written or may appear later. Append again under the same numbers; readers skip repeats.
    #[error("outcome of the append is unknown: {0}")]
    Unknown(Arc<str>),
}

/// Why an append was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendRejection {
    /// No room on the disk, or the log is at its size limit. There may be room later.
    Full(Arc<str>),
    /// The batch is larger than the engine takes, in bytes.
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// There is no such topic or partition.
    NoSuchPartition(TopicPartition),
    /// The log cannot be reached or cannot replicate now. Nothing was written; it may pass by itself.
    Unavailable(Arc<str>),
    /// The log does not allow this append or does not understand it. It stays so.
    Refused(Arc<str>),
    /// The engine is shutting down or was opened to read only.
    Closed,
}

impl AppendRejection {
    /// Whether the same append may be accepted later.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Full(_) | Self::Unavailable(_))
    }
}

impl fmt::Display for AppendRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(why) => write!(f, "the log is full: {why}"),
            Self::TooLarge { limit } => write!(f, "larger than the {limit} bytes one append may have"),
            Self::NoSuchPartition(at) => write!(f, "no such partition {at}"),
            Self::Unavailable(why) => write!(f, "the log cannot be reached: {why}"),
            Self::Refused(why) => write!(f, "the log refuses it: {why}"),
            Self::Closed => write!(f, "the log is closed"),
        }
    }
}

/// Why a call other than an append failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Retention has removed the records before `start`.
    #[error("records of {at} before offset {start} have been removed by retention")]
    Trimmed {
        /// The partition.
        at: TopicPartition,
        /// The first offset that is still there.
        start: Offset,
    },
    /// There is no such topic or partition.
    #[error("no such partition {0}")]
    NoSuchPartition(TopicPartition),
    /// The topic was made with another number of partitions, which decides where records are.
    #[error(
        "{topic} has {existing} partitions, which cannot become {wanted}: records are placed by that number"
    )]
    PartitionCount {
        /// The topic.
        topic: Topic,
        /// How many it has.
        existing: usize,
        /// How many were asked for.
        wanted: u16,
    },
    /// The stored bytes are not what was written. They are never served.
    #[error("damaged log: {0}")]
    Damaged(Arc<str>),
    /// The log ends before what was read of it: it has lost records, or is another one. Reading on would skip what is
    /// appended in between.
    #[error("{at} was read up to offset {seen}, and ends at {end}: the log has lost records")]
    WentBack {
        /// The partition.
        at: TopicPartition,
        /// How far it was read.
        seen: Offset,
        /// Where it ends now.
        end: Offset,
    },
    /// The log cannot be reached now. It may pass by itself: see [`crate::Patient`].
    #[error("log cannot be reached: {0}")]
    Away(Arc<str>),
    /// The log failed or was closed, for good; what was not durable by then may be lost.
    #[error("log is not available: {0}")]
    Unavailable(Arc<str>),
}

/// A durable, partitioned, append-only log.
///
/// *Order*: the records of a partition have one order, that of their offsets, which count from 0 without gaps.
/// *Atomicity*: all batches of one `append` call appear together or not at all where [`Topics::atomic`] says so.
/// Elsewhere all batches but the last may be written at the same time and in any order, those of one partition in theirs,
/// and the last only after all others are durable: a failure leaves any of the others, and never the last without all.
/// One batch is never split; one that is larger than the log takes is [`AppendRejection::TooLarge`].
/// *Durability*: an append is accepted when `append` returns and durable when [`Topics::durable`] of its receipt
/// returns; whoever answers a client waits for the latter. Nothing that a durable read shows depends on what is not
/// durable: where an engine lets records be read before they are durable, they become durable in the order of
/// acceptance.
/// *Repeats*: an engine that makes an append again by itself answers with the offsets of the first copy.
/// *Cancellation*: every future here may be dropped; a dropped `append` has an unknown outcome.
/// *Concurrency*: all methods may be called at once from many tasks.
#[async_trait]
pub trait Topics: Send + Sync + 'static {
    /// The identity of this log. It stays the same for as long as the log's records are the same records.
    fn id(&self) -> LogId;

    /// Makes sure the topic exists. With `partitions` other than it was made with, an error: records are placed by
    /// a hash over that number, so it cannot change.
    async fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError>;

    /// How many partitions the topic has; 0 if it does not exist.
    fn partitions(&self, topic: Topic) -> u16;

    /// Appends all batches; see the trait for order and atomicity. Waits while the bound of bytes that are
    /// accepted but not yet durable is reached.
    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError>;

    /// Appends new commands. As [`Topics::append`], but a log that is full at some size refuses them earlier, as
    /// [`AppendRejection::Full`]: it keeps room for what follows from the commands that it has taken.
    async fn append_new(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.append(batches).await
    }

    /// Says that all commands of the partition before `next` are decided, and what followed from them was appended: no
    /// more room is kept for them. Engines whose size is not theirs to limit ignore it.
    fn decided(&self, _at: TopicPartition, _next: Offset) {}

    /// Waits until everything up to the receipt is durable. An error means *unknown*: never answer success.
    async fn durable(&self, receipt: Receipt) -> Result<(), LogError>;

    /// Reads records from offset `from` on, at least one if there is one and beyond that at most `bytes_max`
    /// bytes. Does not wait. Reading at the end gives an empty chunk; so does reading beyond it.
    async fn read(
        &self,
        at: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError>;

    /// The first offset that is still stored and the offset after the last.
    async fn bounds(
        &self,
        at: TopicPartition,
        visibility: Visibility,
    ) -> Result<std::ops::Range<Offset>, LogError>;

    /// Waits, without polling, until the partition's end is beyond `offset`. Fails when the log fails or closes.
    async fn wait_beyond(
        &self,
        at: TopicPartition,
        offset: Offset,
        visibility: Visibility,
    ) -> Result<(), LogError>;

    /// Keeps the partition's records from `from` on for this reader, a name that is the same after a restart. A newer
    /// call of a reader replaces its older one, and retention never removes what a reader keeps. Engines with their own
    /// retention ignore it.
    fn retain_from(&self, reader: &str, at: TopicPartition, from: Offset);

    /// Whether an `append` of several batches is all or nothing.
    fn atomic(&self) -> bool;

    /// What an acknowledgement means here.
    fn durability(&self) -> Durability;
}

/// The partitions of `topic` as `engine` has them.
pub fn partitions_of(engine: &dyn Topics, topic: Topic) -> impl Iterator<Item = TopicPartition> + use<> {
    (0..engine.partitions(topic)).map(move |n| TopicPartition { topic, partition: Partition(n) })
}
