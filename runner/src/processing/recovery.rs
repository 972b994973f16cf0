//! Bringing a book back: the newest snapshot, then the events written since, then the commands that have none.
//!
//! A decision is made once: what has events is folded, never decided again, whatever the rules have become.

use orderflow_processors::Processor;
use orderflow_schemas::{Offset, Partition, TopicPartition};
use orderflow_topics::{LogError, Topics, Visibility};

use super::{
    book::{Book, BookError, input_and_output},
    snapshots::{SnapshotError, Snapshots},
};

const READ_BYTES: usize = 1 << 20;

/// Why a book could not be brought back.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] LogError),
    /// The log's content cannot be.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The snapshots could not be read.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The log ends before what the snapshot was made of, so it is another log, or an older copy of it.
    #[error(
        "the snapshot goes to offset {next} of {at}, but the log ends at {end}: they do not belong together"
    )]
    Ahead {
        /// The partition.
        at: TopicPartition,
        /// Where the snapshot would go on.
        next: Offset,
        /// Where the log ends.
        end: Offset,
    },
    /// Nothing says what the state was where the log begins.
    #[error(
        "no snapshot that can be read goes on from offset {start} of {at}, before which retention has removed the log"
    )]
    NoBeginning {
        /// The partition.
        at: TopicPartition,
        /// Where the log begins.
        start: Offset,
    },
    /// The processor, as configured, cannot go on from its state.
    #[error("{0}")]
    Incompatible(String),
}

/// A book that is back.
#[derive(Debug)]
pub struct Recovered<S> {
    /// The book.
    pub book: Book<S>,
    /// Before which command the snapshot was taken; the first one if there was none.
    pub snapshot_at: Offset,
    /// How many events were folded on top of the snapshot.
    pub events_folded: u64,
}

/// Brings back the book of the processor of one partition.
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
    for (at, next) in [(input, book.input_next), (events, book.events_next)] {
        let start = topics.bounds(at, Visibility::Accepted).await?.start;
        if next < start {
            return Err(RecoveryError::NoBeginning { at, start });
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
    for (at, next) in [(input, book.input_next), (events, book.events_next)] {
        let end = topics.bounds(at, Visibility::Accepted).await?.end;
        if next > end {
            return Err(RecoveryError::Ahead { at, next, end });
        }
    }
    match processor.incompatibility(&book.state) {
        Some(incompatibility) => Err(RecoveryError::Incompatible(incompatibility)),
        None => Ok(Recovered { book, snapshot_at, events_folded }),
    }
}
