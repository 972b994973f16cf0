//! One partition in memory: its bounds, the tasks that wait for its end to move, its cached tail and its sparse index.
//!
//! *Ordering*: `start ≤ durable ≤ accepted` at all times. Records enter the index before `durable` passes them, and
//! leave the cache only afterwards. A reader therefore finds every visible record in one of the two.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use orderflow_schemas::TopicPartition;
use tokio::sync::Notify;

use super::{cache::CachedTail, index::PartitionIndex, lock, room::Undecided};
use crate::Visibility;

/// The in-memory state of one partition.
#[derive(Debug)]
pub(super) struct PartitionLog {
    pub(super) topic_partition: TopicPartition,
    start: AtomicU64,
    accepted: End,
    durable: End,
    cache: Mutex<CachedTail>,
    index: Mutex<PartitionIndex>,
    undecided: Mutex<Undecided>,
}

/// One end of the partition (accepted or durable), and the tasks that wait for it to move.
#[derive(Debug)]
struct End {
    offset: AtomicU64,
    moved: AtomicBool,
    waiters: Notify,
}

impl End {
    fn new(offset: u64) -> Self {
        Self { offset: AtomicU64::new(offset), moved: AtomicBool::new(false), waiters: Notify::new() }
    }

    fn advance(&self, offset: u64) {
        let before = self.offset.swap(offset, SeqCst);
        assert!(before <= offset, "the end of a partition never moves back");
        self.moved.store(true, SeqCst);
    }

    fn wake(&self) {
        if self.moved.swap(false, SeqCst) {
            self.waiters.notify_waiters();
        }
    }
}

impl PartitionLog {
    pub(super) fn new(
        topic_partition: TopicPartition,
        bounds: std::ops::Range<u64>,
        index: PartitionIndex,
    ) -> Self {
        Self {
            topic_partition,
            start: AtomicU64::new(bounds.start),
            accepted: End::new(bounds.end),
            durable: End::new(bounds.end),
            cache: Mutex::new(CachedTail::default()),
            index: Mutex::new(index),
            undecided: Mutex::default(),
        }
    }

    fn end_as(&self, visibility: Visibility) -> &End {
        match visibility {
            Visibility::Accepted => &self.accepted,
            Visibility::Durable => &self.durable,
        }
    }

    /// The first offset that is still stored.
    pub(super) fn start(&self) -> u64 {
        self.start.load(SeqCst)
    }

    /// The offset after the last record.
    pub(super) fn end(&self, visibility: Visibility) -> u64 {
        self.end_as(visibility).offset.load(SeqCst)
    }

    /// Moves an end forward. Waiting tasks are woken by the next [`Self::wake`].
    pub(super) fn advance(&self, visibility: Visibility, offset: u64) {
        self.end_as(visibility).advance(offset);
    }

    /// Wakes the tasks that wait for this end, if it moved since the last call.
    pub(super) fn wake(&self, visibility: Visibility) {
        self.end_as(visibility).wake();
    }

    /// Wakes all waiting tasks, because the log has ended.
    pub(super) fn wake_all(&self) {
        self.accepted.waiters.notify_waiters();
        self.durable.waiters.notify_waiters();
    }

    /// The notification that tasks wait on until this end moves.
    pub(super) fn waiters(&self, visibility: Visibility) -> &Notify {
        &self.end_as(visibility).waiters
    }

    /// Notes that retention has removed the records before `start`, all of which lay before `lsn` in the log.
    pub(super) fn trim(&self, start: u64, lsn: u64) {
        self.start.fetch_max(start, SeqCst);
        self.with_index(|index| index.trim(lsn));
    }

    pub(super) fn with_cache<T>(&self, look: impl FnOnce(&mut CachedTail) -> T) -> T {
        look(&mut lock(&self.cache))
    }

    pub(super) fn with_undecided<T>(&self, look: impl FnOnce(&mut Undecided) -> T) -> T {
        look(&mut lock(&self.undecided))
    }

    pub(super) fn with_index<T>(&self, look: impl FnOnce(&mut PartitionIndex) -> T) -> T {
        look(&mut lock(&self.index))
    }
}
