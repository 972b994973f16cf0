//! Retention: removing the oldest segments once they are too old or the log is too large, and no reader needs them.
//!
//! *Ordering*: only the oldest sealed segment is ever removed, so the records of a partition are always contiguous. The
//! starts of the partitions move first; then the files are removed: the segment, then its index. An index without its
//! segment is never used.
//! *Pins*: the records of a partition from its lowest pin on are kept. A partition without a pin is not protected. The
//! owner of the log therefore calls [`super::EmbeddedLog::retain`] only after all future readers have named where they
//! start.
//! *Recovery*: partitions keep their offsets, since each segment starts with its heads.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    sync::Arc,
};

use orderflow_schemas::{Offset, TopicPartition};

use super::{allocator::index_name, heads::Heads, lock, segment::Segment, shared::Shared};
use crate::metrics as names;

/// The offset from which each reader needs each partition.
#[derive(Debug, Default)]
pub(super) struct RetentionPins(HashMap<TopicPartition, BTreeMap<Arc<str>, Offset>>);

impl RetentionPins {
    pub(super) fn retain_from(&mut self, reader: &str, topic_partition: TopicPartition, from: Offset) {
        let holders = self.0.entry(topic_partition).or_default();
        match holders.get_mut(reader) {
            Some(held) => *held = from,
            None => {
                holders.insert(Arc::from(reader), from);
            }
        }
    }

    /// Whether no reader needs the records between the heads `removed` and `kept`, which would be removed.
    fn allow(&self, removed: &Heads, kept: &Heads) -> bool {
        kept.iter().filter(|(topic_partition, end)| removed.get(*topic_partition) < *end).all(
            |(topic_partition, end)| {
                self.0.get(&topic_partition).is_none_or(|holders| holders.values().all(|from| from.0 >= end))
            },
        )
    }
}

/// What one pass of retention removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The number of removed segments.
    pub segments: usize,
    /// The total size of the removed segments, in bytes.
    pub bytes: u64,
}

impl Shared {
    /// The number of segments in use, and their total size in bytes.
    pub(super) fn size(&self) -> (usize, u64) {
        let segments = self.segments.read().expect("no thread panics with the segments locked");
        (segments.len(), segments.values().map(|segment| segment.length).sum())
    }

    /// Removes the segments that the settings and the pins of readers allow to remove.
    pub(super) fn retain(&self, now_ms: u64) -> io::Result<Removed> {
        let mut removed = Removed::default();
        while let Some((segment, kept)) = self.removable(now_ms) {
            self.forget(&segment, &kept);
            self.disk.remove(&segment.path)?;
            match self.disk.remove(&self.dir.join(index_name(segment.base))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            removed.segments += 1;
            removed.bytes += segment.length;
        }
        if removed.segments > 0 {
            self.disk.sync_dir(&self.dir)?;
            metrics::gauge!(names::SEGMENTS.name).set(self.size().0 as f64);
            self.retry_allocation(&mut lock(&self.admission));
        }
        Ok(removed)
    }

    /// The oldest segment, if it may be removed, and the heads of the segment after it.
    fn removable(&self, now_ms: u64) -> Option<(Arc<Segment>, Heads)> {
        let (oldest, after, total) = {
            let segments = self.segments.read().expect("no thread panics with the segments locked");
            let total: u64 = segments.values().map(|segment| segment.length).sum();
            let mut inorder = segments.values();
            (Arc::clone(inorder.next()?), Arc::clone(inorder.next()?), total)
        };
        // Afterwards only the next segment's heads tell where partitions start, so they must be durable first.
        if after.end() == after.base {
            return None;
        }
        let retention = &self.settings.retention;
        let age_ms = now_ms.saturating_sub(oldest.time_ms());
        let too_old = retention.age_s.is_some_and(|age_s| age_ms > age_s.saturating_mul(1000));
        let too_much = retention.bytes.is_some_and(|bytes| total > bytes);
        let heads = after.heads.get()?.clone();
        let allowed = lock(&self.pins).allow(oldest.heads.get()?, &heads);
        ((too_old || too_much) && allowed).then_some((oldest, heads))
    }

    fn forget(&self, segment: &Segment, kept: &Heads) {
        for partition in self.all_partitions() {
            partition.trim(kept.get(partition.topic_partition), segment.limit());
        }
        let mut segments = self.segments.write().expect("no thread panics with the segments locked");
        segments.remove(&segment.base);
    }
}
