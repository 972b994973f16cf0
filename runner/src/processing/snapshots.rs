//! Snapshots of a processor's book, as objects of a [`SnapshotStore`].
//!
//! *Layout*: `<input topic>/<partition>/<input offset, 20 digits>.snap`. Each has a magic number, format version,
//! CRC-32C of everything that follows, length of the body and the offsets to continue from. The body is the log's id
//! and the book, in postcard.
//! *Durability*: that of the store.
//! *Order*: the runner stores a snapshot only once everything that led to it is durable. Several are kept. One that is
//! damaged or has another format is skipped for the one before it, with a warning.

use std::{io, sync::Arc};

use crc_fast::{CrcAlgorithm, checksum};
use orderflow_processors::State;
use orderflow_schemas::{LogId, Offset, TopicPartition};

use super::{book::Book, snapshot_store::SnapshotStore};

const MAGIC: &[u8; 8] = b"ORDFSNAP";
const FORMAT: u32 = 5;
const HEADER_BYTES: usize = 40;
/// How many snapshots of a partition are kept.
pub const KEPT: usize = 2;

/// Why a snapshot could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The store reported an error.
    #[error("snapshot {location}: {error}")]
    Io {
        /// Where the snapshot is, or was to be stored.
        location: String,
        /// The error that the store reported.
        error: io::Error,
    },
    /// The snapshot was made from another log.
    #[error(
        "snapshot {location} belongs to the log {stored}, and this is the log {log}: use that log, or remove the snapshots, \
         which will be made anew from this one"
    )]
    OtherLog {
        /// The location of the snapshot.
        location: String,
        /// The log that the snapshot was made from.
        stored: LogId,
        /// The log that was opened.
        log: LogId,
    },
}

/// The snapshots of one processor partition.
#[derive(Clone, Debug)]
pub struct Snapshots {
    store: Arc<dyn SnapshotStore>,
    folder: String,
    log: LogId,
}

impl Snapshots {
    /// The snapshots of the processor that reads `input` of the log `log`.
    pub fn new(store: Arc<dyn SnapshotStore>, log: LogId, input: TopicPartition) -> Self {
        Self { store, folder: format!("{}/{}", input.topic.as_str(), input.partition), log }
    }

    /// Encodes a book as a snapshot. `capacity` is the expected size of the body in bytes; a wrong value does no harm.
    pub fn encode<S: State>(&self, book: &Book<S>, capacity: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + capacity);
        bytes.resize(HEADER_BYTES, 0);
        bytes = postcard::to_extend(&self.log, bytes).expect("an id is a text");
        bytes = postcard::to_extend(book, bytes).expect("a book is made of what postcard can write");
        let length = (bytes.len() - HEADER_BYTES) as u64;
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&FORMAT.to_le_bytes());
        bytes[16..24].copy_from_slice(&length.to_le_bytes());
        bytes[24..32].copy_from_slice(&book.input_next.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&book.events_next.0.to_le_bytes());
        let crc = checksum(CrcAlgorithm::Crc32Iscsi, &bytes[16..]) as u32;
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Decodes a snapshot into the id of the log it was made from and the book. An error says why the bytes are not a
    /// snapshot.
    fn decode<S: State>(bytes: &[u8]) -> Result<(LogId, Book<S>), String> {
        SnapshotHeader::checked(bytes)?;
        postcard::from_bytes(&bytes[HEADER_BYTES..]).map_err(|error| error.to_string())
    }

    /// Encodes and stores a book, from async code. Returns the snapshot's size in bytes; `bytes_last` is the size of
    /// the one before.
    pub(super) async fn keep<S: State>(&self, book: Book<S>, bytes_last: u64) -> Result<u64, SnapshotError> {
        let (this, next) = (self.clone(), book.input_next);
        let location = self.location(next);
        let keep = move || {
            // Most snapshots are larger than the one before. One that exceeds the capacity is copied into a larger
            // buffer.
            let capacity = usize::try_from(bytes_last + bytes_last / 8).unwrap_or(0);
            let bytes = this.encode(&book, capacity);
            drop(book);
            this.store(next, &bytes).map(|()| bytes.len() as u64)
        };
        if !self.store.blocks() {
            return keep();
        }
        let kept = tokio::task::spawn_blocking(keep).await;
        kept.map_err(|error| SnapshotError::Io { location, error: io::Error::other(error) })?
    }

    /// Stores the snapshot of the commands before `input_next`, and removes those that are no longer kept.
    pub fn store(&self, input_next: Offset, bytes: &[u8]) -> Result<(), SnapshotError> {
        let name = self.name(input_next);
        match self.store.write(&name, bytes) {
            // The log keeps everything that no snapshot covers, so the space of an older snapshot is better used for a
            // new one.
            Err(error) if error.kind() == io::ErrorKind::StorageFull && self.remove_older()? => {
                self.store.write(&name, bytes)
            }
            written => written,
        }
        .map_err(self.failed(&name))?;
        let all = self.list()?;
        for old in all.iter().rev().skip(KEPT) {
            let name = self.name(*old);
            self.store.remove(&name).map_err(self.failed(&name))?;
        }
        Ok(())
    }

    /// Removes all snapshots but the newest. False, and nothing is removed, if there is no older one or the newest is
    /// damaged.
    fn remove_older(&self) -> Result<bool, SnapshotError> {
        let mut all = self.list()?;
        let Some(newest) = all.pop().filter(|_| !all.is_empty()) else { return Ok(false) };
        let name = self.name(newest);
        let bytes = self.store.read(&name).map_err(self.failed(&name))?;
        if SnapshotHeader::checked(&bytes).is_err() {
            return Ok(false);
        }
        for old in all {
            let name = self.name(old);
            self.store.remove(&name).map_err(self.failed(&name))?;
        }
        Ok(true)
    }

    /// Removes the remains of snapshots that a process was storing when it ended.
    pub(super) fn remove_unfinished(&self) -> Result<(), SnapshotError> {
        self.store.remove_unfinished(&self.folder).map_err(self.failed(&self.folder))
    }

    /// The book of the newest readable snapshot; `None` if there is none.
    pub fn load<S: State>(&self) -> Result<Option<Book<S>>, SnapshotError> {
        for offset in self.list()?.into_iter().rev() {
            match self.read(offset)? {
                Ok(book) => return Ok(Some(book)),
                Err(why) => {
                    let location = self.location(offset);
                    tracing::warn!(%location, why, "snapshot passed over for the one before");
                }
            }
        }
        Ok(None)
    }

    /// The offsets of the first command and the first event that recovery from any kept snapshot may need.
    pub fn needed_from(&self) -> Result<(Offset, Offset), SnapshotError> {
        let Some(oldest) = self.list()?.first().copied() else { return Ok((Offset::ZERO, Offset::ZERO)) };
        let header = self.store.read_start(&self.name(oldest), HEADER_BYTES);
        match header.ok().and_then(|bytes| SnapshotHeader::read(&bytes).ok()) {
            Some(header) => Ok((header.input_next, header.events_next)),
            // Without a readable header, recovery may need the whole log.
            None => Ok((Offset::ZERO, Offset::ZERO)),
        }
    }

    /// The book of the snapshot whose `input_next` is `offset`, or why it cannot be decoded. A snapshot of another log
    /// is an error.
    pub fn read<S: State>(&self, offset: Offset) -> Result<Result<Book<S>, String>, SnapshotError> {
        let name = self.name(offset);
        let bytes = self.store.read(&name).map_err(self.failed(&name))?;
        match Self::decode(&bytes) {
            Ok((stored, _)) if stored != self.log => {
                let (location, log) = (self.location(offset), self.log.clone());
                Err(SnapshotError::OtherLog { location, stored, log })
            }
            decoded => Ok(decoded.map(|(_, book)| book)),
        }
    }

    /// The location of the snapshot with this `input_next`, for messages to people.
    pub fn location(&self, input_next: Offset) -> String {
        self.store.location(&self.name(input_next))
    }

    fn name(&self, input_next: Offset) -> String {
        format!("{}/{:020}.snap", self.folder, input_next.0)
    }

    fn failed(&self, name: &str) -> impl FnOnce(io::Error) -> SnapshotError {
        let location = self.store.location(name);
        move |error| SnapshotError::Io { location, error }
    }

    /// The `input_next` of each stored snapshot, in ascending order.
    pub fn list(&self) -> Result<Vec<Offset>, SnapshotError> {
        let offset = |name: String| name.strip_suffix(".snap")?.parse().ok().map(Offset);
        let names = self.store.list(&self.folder).map_err(self.failed(&self.folder))?;
        let mut offsets: Vec<Offset> = names.into_iter().filter_map(offset).collect();
        offsets.sort_unstable();
        Ok(offsets)
    }
}

/// The header of a snapshot, which has a fixed size.
struct SnapshotHeader {
    crc: u32,
    length: u64,
    input_next: Offset,
    events_next: Offset,
}

impl SnapshotHeader {
    /// The header of a snapshot, after checking its length and checksum.
    fn checked(bytes: &[u8]) -> Result<Self, String> {
        let header = Self::read(bytes)?;
        if header.length != (bytes.len() - HEADER_BYTES) as u64
            || header.crc != checksum(CrcAlgorithm::Crc32Iscsi, &bytes[16..]) as u32
        {
            return Err("its checksum is wrong".to_owned());
        }
        Ok(header)
    }

    fn read(bytes: &[u8]) -> Result<Self, String> {
        let Some((header, _)) = bytes.split_at_checked(HEADER_BYTES) else {
            return Err("it is shorter than its header".to_owned());
        };
        let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
        let long = |at: usize| u64::from_le_bytes(header[at..at + 8].try_into().expect("eight bytes"));
        if &header[..8] != MAGIC {
            return Err("it is no snapshot".to_owned());
        }
        let format = word(8);
        if format != FORMAT {
            return Err(format!("its format is {format}, this program reads {FORMAT}"));
        }
        Ok(Self {
            crc: word(12),
            length: long(16),
            input_next: Offset(long(24)),
            events_next: Offset(long(32)),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        path::{Path, PathBuf},
    };

    use orderflow_processors::stock::Stock;
    use orderflow_schemas::Topic;

    use super::*;
    use crate::processing::LocalSnapshots;

    fn snapshots(data: &Path) -> Snapshots {
        of_log(data, "this")
    }

    fn of_log(data: &Path, log: &str) -> Snapshots {
        let input = TopicPartition::new(Topic::OrdersCommands, 3);
        Snapshots::new(LocalSnapshots::new(data), log.parse().unwrap(), input)
    }

    fn path(snapshots: &Snapshots, offset: u64) -> PathBuf {
        snapshots.location(Offset(offset)).into()
    }

    fn book(input_next: u64) -> Book<Stock> {
        Book { input_next: Offset(input_next), ..Book::new(2) }
    }

    #[test]
    fn what_was_left_half_stored_is_removed() {
        let data = tempfile::tempdir().unwrap();
        let snapshots = snapshots(data.path());
        snapshots.remove_unfinished().unwrap();
        snapshots.store(Offset(10), &snapshots.encode(&book(10), 0)).unwrap();
        let left = path(&snapshots, 20).with_extension("tmp");
        fs::write(&left, b"half").unwrap();
        snapshots.remove_unfinished().unwrap();
        assert!(!left.exists());
        assert_eq!(snapshots.load().unwrap(), Some(book(10)));
    }

    /// A folder with space for this many snapshots.
    #[derive(Debug)]
    struct Small(Arc<LocalSnapshots>, usize);

    impl SnapshotStore for Small {
        fn list(&self, folder: &str) -> io::Result<Vec<String>> {
            self.0.list(folder)
        }

        fn read(&self, name: &str) -> io::Result<Vec<u8>> {
            self.0.read(name)
        }

        fn read_start(&self, name: &str, length: usize) -> io::Result<Vec<u8>> {
            self.0.read_start(name, length)
        }

        fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
            let (folder, _) = name.rsplit_once('/').unwrap();
            if self.list(folder)?.len() >= self.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.0.write(name, bytes)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.0.remove(name)
        }

        fn remove_unfinished(&self, folder: &str) -> io::Result<()> {
            self.0.remove_unfinished(folder)
        }

        fn location(&self, name: &str) -> String {
            self.0.location(name)
        }
    }

    #[test]
    fn on_a_full_disk_the_older_snapshot_gives_its_place_to_a_new_one() {
        let data = tempfile::tempdir().unwrap();
        let store = Arc::new(Small(LocalSnapshots::new(data.path()), KEPT));
        let snapshots = Snapshots { store, ..snapshots(data.path()) };
        for offset in [10, 20, 30] {
            snapshots.store(Offset(offset), &snapshots.encode(&book(offset), 0)).unwrap();
        }
        assert_eq!(snapshots.list().unwrap(), [Offset(20), Offset(30)]);
        // If the newest snapshot is damaged, the one before it is kept.
        let newest = path(&snapshots, 30);
        let mut damaged = fs::read(&newest).unwrap();
        *damaged.last_mut().unwrap() ^= 1;
        fs::write(&newest, damaged).unwrap();
        let refused = snapshots.store(Offset(40), &snapshots.encode(&book(40), 0));
        assert!(matches!(refused, Err(SnapshotError::Io { .. })), "{refused:?}");
        assert_eq!(snapshots.load().unwrap(), Some(book(20)));
    }

    #[test]
    fn a_snapshot_of_another_log_is_refused_and_not_passed_over() {
        let data = tempfile::tempdir().unwrap();
        for log in ["this", "other"] {
            let snapshots = of_log(data.path(), log);
            let at = if log == "this" { 10 } else { 20 };
            snapshots.store(Offset(at), &snapshots.encode(&book(at), 0)).unwrap();
        }
        let error = snapshots(data.path()).load::<Stock>().unwrap_err().to_string();
        assert!(error.contains("the log other") && error.contains("the log this"), "{error}");
    }

    #[test]
    fn damaged_snapshot_is_passed_over_for_the_one_before() {
        let data = tempfile::tempdir().unwrap();
        let snapshots = snapshots(data.path());
        assert_eq!(snapshots.load::<Stock>().unwrap(), None);
        for offset in [10, 20, 30] {
            snapshots.store(Offset(offset), &snapshots.encode(&book(offset), 0)).unwrap();
        }
        assert_eq!(snapshots.list().unwrap(), [Offset(20), Offset(30)]);
        assert_eq!(snapshots.load().unwrap(), Some(book(30)));
        let newest = path(&snapshots, 30);
        let whole = fs::read(&newest).unwrap();
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&newest, &damaged).unwrap();
            assert_eq!(snapshots.load().unwrap(), Some(book(20)), "byte {at} damaged");
            fs::write(&newest, &whole[..at]).unwrap();
            assert_eq!(snapshots.load().unwrap(), Some(book(20)), "cut at byte {at}");
        }
    }
}
