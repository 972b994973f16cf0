//! The sparse index: where in the log to start looking for an offset, and its file form for sealed segments.
//!
//! *Layout* of an `.idx` file (little endian): magic u32 · CRC-32C u32 of everything that follows · base u64 · end u64
//! · time u64 · three numbers of entries u32: of the heads at the start, of the heads at the end, and of the index ·
//! the entries. An index entry is topic u16 · partition u16 · offset u64 · LSN u64.
//! *Durability*: none is needed, because the file contains nothing that the segment does not. If it is missing or
//! damaged, the segment is scanned and the file is written again.

use std::collections::{HashMap, VecDeque};

use orderflow_schemas::TopicPartition;

use super::{
    codec::{Fields, as_u32, as_usize, checksum},
    frame,
    heads::{HEAD_BYTES, Heads},
};

const MAGIC: u32 = u32::from_le_bytes(*b"OFI1");
const ENTRY_BYTES: usize = 20;
/// The number of readers of one partition whose last position is remembered.
const CURSORS: usize = 4;

/// An index entry: the frame at `lsn` holds the partition's record `offset`, and its older records lie before that
/// frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct IndexEntry {
    pub(super) topic_partition: TopicPartition,
    pub(super) offset: u64,
    pub(super) lsn: u64,
}

/// The index of one segment while the segment is written or scanned.
#[derive(Debug)]
pub(super) struct SegmentIndex {
    stride: u64,
    entries: Vec<IndexEntry>,
    newest: HashMap<TopicPartition, u64>,
}

impl SegmentIndex {
    pub(super) fn new(stride: u64) -> Self {
        Self { stride, entries: Vec::new(), newest: HashMap::new() }
    }

    /// Adds the entry if the partition's last entry is at least one stride away. Returns the entry if it was added.
    pub(super) fn note(&mut self, entry: IndexEntry) -> Option<IndexEntry> {
        let newest = self.newest.get(&entry.topic_partition);
        if newest.is_some_and(|newest| entry.lsn - newest < self.stride) {
            return None;
        }
        self.newest.insert(entry.topic_partition, entry.lsn);
        self.entries.push(entry);
        Some(entry)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = IndexEntry> {
        self.entries.iter().copied()
    }

    pub(super) fn into_entries(self) -> Vec<IndexEntry> {
        self.entries
    }
}

/// The content of a sealed segment's index file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SealedIndex {
    /// The LSN of the segment's first byte.
    pub(super) base: u64,
    /// The LSN after the segment's last frame.
    pub(super) end: u64,
    /// When the last frame was written, in milliseconds since 1970.
    pub(super) time_ms: u64,
    /// The next offset of each partition at the segment's start.
    pub(super) heads: Heads,
    /// The next offset of each partition at the segment's end.
    pub(super) ends: Heads,
    pub(super) entries: Vec<IndexEntry>,
}

impl SealedIndex {
    pub(super) fn write(&self) -> Vec<u8> {
        let mut file = Vec::new();
        file.extend_from_slice(&MAGIC.to_le_bytes());
        file.extend_from_slice(&[0; 4]);
        for field in [self.base, self.end, self.time_ms] {
            file.extend_from_slice(&field.to_le_bytes());
        }
        for count in [self.heads.len(), self.ends.len(), self.entries.len()] {
            file.extend_from_slice(&as_u32(count).to_le_bytes());
        }
        self.heads.write(&mut file);
        self.ends.write(&mut file);
        for entry in &self.entries {
            file.extend_from_slice(&entry.topic_partition.topic.id().to_le_bytes());
            file.extend_from_slice(&entry.topic_partition.partition.0.to_le_bytes());
            file.extend_from_slice(&entry.offset.to_le_bytes());
            file.extend_from_slice(&entry.lsn.to_le_bytes());
        }
        let sum = checksum(&file[8..]);
        file[4..8].copy_from_slice(&sum.to_le_bytes());
        file
    }

    /// Reads an index file. `None` if the file is not exactly what was written.
    pub(super) fn read(file: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(file);
        if fields.u32()? != MAGIC || fields.u32()? != checksum(file.get(8..)?) {
            return None;
        }
        let (base, end, time_ms) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (heads, ends, entries) =
            (as_usize(fields.u32()?), as_usize(fields.u32()?), as_usize(fields.u32()?));
        let heads = Heads::read(fields.bytes(heads.checked_mul(HEAD_BYTES)?)?)?;
        let ends = Heads::read(fields.bytes(ends.checked_mul(HEAD_BYTES)?)?)?;
        let mut fields = Fields::new(fields.bytes(entries.checked_mul(ENTRY_BYTES)?)?);
        let mut entries = Vec::with_capacity(entries);
        while !fields.is_empty() {
            let topic_partition = frame::read_partition(&mut fields)?;
            entries.push(IndexEntry { topic_partition, offset: fields.u64()?, lsn: fields.u64()? });
        }
        Some(Self { base, end, time_ms, heads, ends, entries })
    }
}

/// The index of one partition over all segments, oldest first, and the positions where its last readers stopped.
#[derive(Debug, Default)]
pub(super) struct PartitionIndex {
    entries: VecDeque<FrameLocation>,
    cursors: VecDeque<FrameLocation>,
}

/// The partition's records from `offset` on are at `lsn` or after it.
#[derive(Clone, Copy, Debug)]
struct FrameLocation {
    offset: u64,
    lsn: u64,
}

impl PartitionIndex {
    pub(super) fn push(&mut self, offset: u64, lsn: u64) {
        self.entries.push_back(FrameLocation { offset, lsn });
    }

    /// The LSN at which to start looking for the record `offset`; `None` if the index does not reach back that far.
    pub(super) fn find(&self, offset: u64) -> Option<u64> {
        let after = self.entries.partition_point(|place| place.offset <= offset);
        let indexed = self.entries.get(after.checked_sub(1)?)?.lsn;
        let cursor = self.cursors.iter().find(|place| place.offset == offset);
        Some(cursor.map_or(indexed, |cursor| cursor.lsn.max(indexed)))
    }

    /// Remembers that a reader stopped before the record `offset`, which is at `lsn` or after it.
    pub(super) fn stopped(&mut self, offset: u64, lsn: u64) {
        if self.cursors.len() == CURSORS {
            self.cursors.pop_front();
        }
        self.cursors.push_back(FrameLocation { offset, lsn });
    }

    /// Removes the entries and positions before `lsn`.
    pub(super) fn trim(&mut self, lsn: u64) {
        while self.entries.pop_front_if(|place| place.lsn < lsn).is_some() {}
        self.cursors.retain(|place| place.lsn >= lsn);
    }
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::Topic;
    use proptest::prelude::*;

    use super::*;

    fn partition() -> impl Strategy<Value = TopicPartition> {
        (0..5u16, 0..9u16).prop_map(|(topic, n)| TopicPartition::new(Topic::from_id(topic).unwrap(), n))
    }

    fn heads() -> impl Strategy<Value = Heads> {
        prop::collection::vec((partition(), any::<u64>()), 0..10).prop_map(Heads::from_iter)
    }

    proptest! {
        #[test]
        fn an_index_file_gives_back_what_was_put_into_it_or_nothing(
            (base, end, time_ms) in any::<(u64, u64, u64)>(),
            (heads, ends) in (heads(), heads()),
            entries in prop::collection::vec((partition(), any::<u64>(), any::<u64>()), 0..20),
            place in any::<prop::sample::Index>(),
        ) {
            let entry = |(topic_partition, offset, lsn)| IndexEntry { topic_partition, offset, lsn };
            let entries = entries.into_iter().map(entry).collect();
            let index = SealedIndex { base, end, time_ms, heads, ends, entries };
            let mut file = index.write();
            prop_assert_eq!(SealedIndex::read(&file), Some(index));
            let place = place.index(file.len());
            file[place] ^= 1;
            prop_assert_eq!(SealedIndex::read(&file), None);
            file.truncate(place);
            prop_assert_eq!(SealedIndex::read(&file), None);
        }
    }
}
