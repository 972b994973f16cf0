//! The `Topics` trait: everything orderflow asks of a durable log.
//!
//! The trait is small enough for an embedded log, Fluvio and Kafka alike. It has no streams, consumer groups or stored
//! offsets: a reader keeps its offset with the state the offset belongs to. Each engine must pass
//! [`crate::conformance`].

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use orderflow_schemas::{LogId, Offset, Partition, Topic, TopicPartition};

/// Records to append to one partition, in order. A record's bytes are opaque here and at least one byte long.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The topic and partition that the records are appended to.
    pub topic_partition: TopicPartition,
    /// The records, oldest first. At least one.
    pub records: Vec<Bytes>,
}

/// Which records a read sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// Every record that the engine has accepted, including records that a power cut could still lose. Only for
    /// processors.
    Accepted,
    /// Only records that are as durable as an acknowledgement promises. For everything that is shown outside the
    /// process.
    Durable,
}

/// What an acknowledgement of this engine guarantees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// `fdatasync` on this machine's disk has returned.
    LocalDisk,
    /// The page caches of `copies` replicas hold the records. With a single copy, a power cut can still lose them.
    Replicated {
        /// The number of replicas that hold the records.
        copies: u16,
    },
}

/// A point in the engine's order of appends. Waiting for it with [`Topics::durable`] waits for all appends up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Receipt(pub u64);

/// The answer to an append that was accepted.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The offset of each batch's first record, in the order of the batches.
    pub offsets: Vec<Offset>,
    /// What to wait for with [`Topics::durable`] before the append is acknowledged to a client.
    pub receipt: Receipt,
}

/// Whole, contiguous records of one partition: the first has offset `from`, each following one an offset higher by 1.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The offset of the first record; the offset asked for if there are no records.
    pub from: Offset,
    /// The records, in the order of their offsets. Empty if there was nothing to read yet.
    pub records: Vec<Bytes>,
    /// The offset after the partition's last record at the time of the read, under the requested visibility.
    pub end: Offset,
}

impl Chunk {
    /// The offset to read from next: the one after the last record of this chunk.
    pub fn next(&self) -> Offset {
        Offset(self.from.0 + self.records.len() as u64)
    }
}

/// Why an append was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// Nothing was written, and nothing will be. [`AppendRejection::may_pass`] tells whether a retry can succeed.
    #[error("append rejected: {0}")]
    Rejected(AppendRejection),
    /// The records may have been written, or may appear later. Append them again under the same numbers; readers skip
    /// repeats.
    #[error("outcome of the append is unknown: {0}")]
    Unknown(Arc<str>),
}

/// Why an append was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendRejection {
    /// The disk has no space left, or the log has reached its size limit. There may be space later. The text is the
    /// reason.
    Full(Arc<str>),
    /// The append is larger than the engine accepts.
    TooLarge {
        /// The largest size the engine accepts, in bytes.
        limit: usize,
    },
    /// The topic does not exist, or has no such partition.
    NoSuchPartition(TopicPartition),
    /// The log cannot be reached or cannot replicate at present. Nothing was written; the condition may pass by itself.
    Unavailable(Arc<str>),
    /// The log does not allow this append or does not understand it. The condition is permanent.
    Refused(Arc<str>),
    /// The engine is shutting down or was opened read-only.
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
            Self::NoSuchPartition(topic_partition) => write!(f, "no such partition {topic_partition}"),
            Self::Unavailable(why) => write!(f, "the log cannot be reached: {why}"),
            Self::Refused(why) => write!(f, "the log refuses it: {why}"),
            Self::Closed => write!(f, "the log is closed"),
        }
    }
}

/// Why a call other than an append failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogError {
    /// Retention has removed the records before offset `start`.
    #[error("records of {topic_partition} before offset {start} have been removed by retention")]
    Trimmed {
        /// The partition that was read.
        topic_partition: TopicPartition,
        /// The first offset that is still stored.
        start: Offset,
    },
    /// The topic does not exist, or has no such partition.
    #[error("no such partition {0}")]
    NoSuchPartition(TopicPartition),
    /// The topic was created with another number of partitions. That number decides where records are, so it cannot
    /// change.
    #[error(
        "{topic} has {existing} partitions, which cannot become {wanted}: records are placed by that number"
    )]
    PartitionCount {
        /// The topic that was to be created.
        topic: Topic,
        /// The number of partitions the topic has.
        existing: usize,
        /// The number of partitions that was requested.
        wanted: u16,
    },
    /// The stored bytes are not the bytes that were written. Such bytes are never served.
    #[error("damaged log: {0}")]
    Damaged(Arc<str>),
    /// The log ends before an offset that was already read: it has lost records, or it is another log. Reading on would
    /// skip the records that are appended in between.
    #[error("{topic_partition} was read up to offset {seen}, and ends at {end}: the log has lost records")]
    WentBack {
        /// The partition that was read.
        topic_partition: TopicPartition,
        /// The offset up to which the partition was read before.
        seen: Offset,
        /// The offset at which the partition ends now.
        end: Offset,
    },
    /// The log cannot be reached at present. The condition may pass by itself; [`crate::Patient`] waits for that.
    #[error("log cannot be reached: {0}")]
    Away(Arc<str>),
    /// The log failed or was closed, and stays so. What was not durable by then may be lost.
    #[error("log is not available: {0}")]
    Unavailable(Arc<str>),
}

/// A durable, partitioned, append-only log.
///
/// *Order*: the records of a partition are ordered by their offsets, which count from 0 without gaps.
/// *Atomicity*: where [`Topics::atomic`] is true, all batches of one `append` call appear together or not at all.
/// Elsewhere the engine may write all batches but the last at the same time and in any order, except that batches of
/// one partition keep their order. It writes the last batch only after all others are durable. A failure may therefore
/// leave any of the others, but never the last without all of them. A batch is never split; one that is larger than the
/// log accepts is rejected with [`AppendRejection::TooLarge`].
/// *Durability*: an append is accepted when `append` returns, and durable when [`Topics::durable`] of its receipt
/// returns. A response to a client waits for the latter. Nothing that a durable read shows depends on anything that is
/// not durable: where an engine lets records be read before they are durable, they become durable in the order of
/// acceptance.
/// *Repeats*: an engine that retries an append internally answers with the offsets of the first copy.
/// *Cancellation*: every future of this trait may be dropped; a dropped `append` has an unknown outcome.
/// *Concurrency*: many tasks may call all methods at the same time.
#[async_trait]
pub trait Topics: Send + Sync + 'static {
    /// The identity of this log. It stays the same as long as the log's records are the same records.
    fn id(&self) -> LogId;

    /// Creates the topic unless it exists. Fails with [`LogError::PartitionCount`] if it exists with another number of
    /// partitions: records are placed by a hash over that number, so it cannot change.
    async fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError>;

    /// The number of partitions of the topic; 0 if the topic does not exist.
    fn partitions(&self, topic: Topic) -> u16;

    /// Appends all batches, with the order and atomicity that the trait describes. Waits while the bytes that are
    /// accepted but not yet durable have reached their bound.
    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError>;

    /// Appends new commands. Works like [`Topics::append`], but a log with a size limit refuses new commands earlier,
    /// with [`AppendRejection::Full`]: it reserves space for what follows from the commands it has already accepted.
    async fn append_new(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.append(batches).await
    }

    /// Reports that all commands of the partition before `next` are decided and that what followed from them was
    /// appended. The log then reserves no more space for them. Engines that do not limit their own size ignore the
    /// call.
    fn decided(&self, _at: TopicPartition, _next: Offset) {}

    /// Waits until everything up to the receipt is durable. After an error the outcome is *unknown*: never report
    /// success.
    async fn durable(&self, receipt: Receipt) -> Result<(), LogError>;

    /// Reads records from offset `from` on: at least one if there is one; two or more have at most `bytes_max` bytes in
    /// total. Does not wait. A read at the end of the partition or beyond it returns an empty chunk.
    async fn read(
        &self,
        topic_partition: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError>;

    /// The first offset that is still stored, and the offset after the last record.
    async fn bounds(
        &self,
        topic_partition: TopicPartition,
        visibility: Visibility,
    ) -> Result<std::ops::Range<Offset>, LogError>;

    /// Waits, without polling, until the partition's end is beyond `offset`. Fails if the log fails or closes.
    async fn wait_beyond(
        &self,
        topic_partition: TopicPartition,
        offset: Offset,
        visibility: Visibility,
    ) -> Result<(), LogError>;

    /// Keeps the partition's records from `from` on for `reader`, a name that stays the same over restarts. A newer
    /// call for the same reader replaces the older one. Retention never removes records that a reader keeps. Engines
    /// with their own retention ignore the call.
    fn retain_from(&self, reader: &str, topic_partition: TopicPartition, from: Offset);

    /// Whether an `append` of several batches is written completely or not at all.
    fn atomic(&self) -> bool;

    /// What an acknowledgement of this engine guarantees.
    fn durability(&self) -> Durability;
}

/// The partitions of `topic` that `engine` has at present, in ascending order; none if the topic does not exist.
pub fn partitions_of(engine: &dyn Topics, topic: Topic) -> impl Iterator<Item = TopicPartition> + use<> {
    (0..engine.partitions(topic)).map(move |n| TopicPartition { topic, partition: Partition(n) })
}
