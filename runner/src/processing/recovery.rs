//! Restoring a book: the newest snapshot, then the events written since, then the commands that have no events.
//!
//! A decision is made once: a command with events is folded, never decided again, however the rules have changed.

use orderflow_processors::Processor;
use orderflow_schemas::{Offset, Partition, TopicPartition};
use orderflow_topics::{LogError, Topics, Visibility};

use super::{
    book::{Book, BookError, input_and_output},
    snapshots::{SnapshotError, Snapshots},
};

const READ_BYTES: usize = 1 << 20;

/// Why a book could not be restored.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] LogError),
    /// The log contains records that contradict the design.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The snapshots could not be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The log ends before the point at which the snapshot was taken. It is another log, or an older copy of this one.
    #[error(
        "the snapshot goes to offset {next} of {topic_partition}, but the log ends at {end}: they do not belong together"
    )]
    Ahead {
        /// The partition that ends too early.
        topic_partition: TopicPartition,
        /// The offset that the restored book would read next.
        next: Offset,
        /// The offset at which the log ends.
        end: Offset,
    },
    /// Retention has removed records that no readable snapshot covers, so the state at the log's beginning is unknown.
    #[error(
        "no snapshot that can be read goes on from offset {start} of {topic_partition}, before which retention has removed the log"
    )]
    NoBeginning {
        /// The partition whose older records were removed.
        topic_partition: TopicPartition,
        /// The first offset that is still stored.
        start: Offset,
    },
    /// The processor, as configured, cannot continue from its state; the text is the reason.
    #[error("{0}")]
    Incompatible(String),
}

/// A restored book.
#[derive(Debug)]
pub struct Recovered<S> {
    /// The book, with all events that are in the log folded into it.
    pub book: Book<S>,
    /// The offset of the first command that the snapshot does not cover; 0 if there was no snapshot.
    pub snapshot_at: Offset,
    /// The number of events that were read after the snapshot.
    pub events_folded: u64,
}

/// Restores the book of the processor of one partition.
pub async fn recover<P: Processor>(
    topics: &dyn Topics,
    processor: &P,
    partition: Partition,
    snapshots: &Snapshots,
) -> Result<Recovered<P::State>, RecoveryError> {
    let snapshot = snapshots.load()?;
    let message_partitions = topics.partitions(P::MESSAGES);
    let mut book = snapshot.unwrap_or_else(|| Book::new(message_partitions));
    let snapshot_at = book.input_next;
    let (input, events) = input_and_output::<P>(partition);
    for (topic_partition, next) in [(input, book.input_next), (events, book.events_next)] {
        let start = topics.bounds(topic_partition, Visibility::Accepted).await?.start;
        if next < start {
            return Err(RecoveryError::NoBeginning { topic_partition, start });
        }
    }
    let mut events_folded = 0;
    loop {
        let chunk = topics.read(events, book.events_next, READ_BYTES, Visibility::Accepted).await?;
        if chunk.records.is_empty() {
            break;
        }
        for (offset, record) in (chunk.from.0..).map(Offset).zip(&chunk.records) {
            book.replay(processor, partition, offset, record)?;
            events_folded += 1;
        }
    }
    for (topic_partition, next) in [(input, book.input_next), (events, book.events_next)] {
        let end = topics.bounds(topic_partition, Visibility::Accepted).await?.end;
        if next > end {
            return Err(RecoveryError::Ahead { topic_partition, next, end });
        }
    }
    match processor.incompatibility(&book.state) {
        Some(incompatibility) => Err(RecoveryError::Incompatible(incompatibility)),
        None => Ok(Recovered { book, snapshot_at, events_folded }),
    }
}
