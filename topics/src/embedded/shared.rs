//! The state that the threads of the log and its callers share, and how they notify each other.
//!
//! *Locks*, in the order in which they may be taken together: `admission`, then one partition's cache or index. All are
//! held briefly, and none during a call to the disk.
//! *Progress*: one value says how far the log is durable and whether it has ended. The ends of the partitions move
//! before it, so a task that sees a receipt as durable can read its records.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Condvar, Mutex, OnceLock, RwLock,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use orderflow_schemas::{LogId, Topic, TopicPartition};
use orderflow_world::disk::Disk;
use tokio::sync::{Notify, Semaphore, watch};

use super::{
    admission::{Admission, Next},
    encode::Encoded,
    heads::Heads,
    index::{PartitionIndex, SealedIndex},
    lock,
    partition::PartitionLog,
    recent_frames::RecentFrames,
    retention::RetentionPins,
    room::holds_commands,
    segment::Segment,
    settings::LogSettings,
};
use crate::{Visibility, metrics::LogMetrics};

/// The state of an open log.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    pub(super) id: LogId,
    pub(super) settings: LogSettings,
    topics: [OnceLock<Vec<Arc<PartitionLog>>>; Topic::ALL.len()],
    /// Held while a topic is created, which replaces the catalog file.
    pub(super) creating: Mutex<()>,
    /// The segments in use, by the LSN of their first byte.
    pub(super) segments: RwLock<BTreeMap<u64, Arc<Segment>>>,
    pub(super) admission: Mutex<Admission>,
    /// Wakes the writer: frames are pending, or the log is closing.
    pub(super) writable: Condvar,
    pub(super) chores: Mutex<Chores>,
    /// Wakes the allocator: there are chores, or the log has ended.
    pub(super) chore_added: Condvar,
    /// Wakes appends that wait for the next segment: it was allocated, its allocation failed, or the log has ended.
    pub(super) allocated: Notify,
    /// The bound of bytes that are accepted and not yet durable, one permit a byte.
    pub(super) budget: Semaphore,
    pub(super) progress: watch::Sender<WriterProgress>,
    durable: AtomicU64,
    /// The bytes of all commands that were accepted since the log was opened and are not decided yet.
    undecided: AtomicU64,
    /// Frames that readers have read from the disk recently.
    pub(super) recent: RecentFrames,
    pub(super) pins: Mutex<RetentionPins>,
    pub(super) metrics: LogMetrics,
}

/// How far the log is durable, and whether it has ended.
#[derive(Clone, Debug)]
pub(super) struct WriterProgress {
    /// The log is durable up to this LSN.
    pub(super) durable: u64,
    pub(super) ended: Option<Ended>,
}

/// Why nothing more will become durable.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// The log failed; the text is the reason.
    Failed(Arc<str>),
    /// The log was closed.
    Closed,
    /// The log was opened read-only.
    ReadOnly,
}

impl Ended {
    /// The reason as a text for error messages.
    pub(super) fn why(&self) -> Arc<str> {
        match self {
            Self::Failed(why) => Arc::clone(why),
            Self::Closed => Arc::from("it was closed"),
            Self::ReadOnly => Arc::from("it was opened to read only"),
        }
    }
}

/// The work that waits for the allocator.
#[derive(Debug, Default)]
pub(super) struct Chores {
    /// Index files of sealed segments that are to be written.
    pub(super) sealed: Vec<SealedIndex>,
    /// Segments to zero, oldest first.
    pub(super) zeroing: Vec<Arc<Segment>>,
    /// Whether the next segment is to be allocated.
    pub(super) allocate: bool,
    /// Whether no more chores will come.
    pub(super) ended: bool,
}

impl Shared {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        id: LogId,
        settings: LogSettings,
        admission: Admission,
    ) -> Self {
        let durable = admission.tail;
        let budget = Semaphore::new(settings.pending_bytes_max.min(Semaphore::MAX_PERMITS));
        let recent = RecentFrames::new(settings.recent_bytes_max);
        Self {
            disk,
            dir,
            id,
            settings,
            topics: [const { OnceLock::new() }; Topic::ALL.len()],
            creating: Mutex::new(()),
            segments: RwLock::new(BTreeMap::from([(admission.active.base, Arc::clone(&admission.active))])),
            admission: Mutex::new(admission),
            writable: Condvar::new(),
            chores: Mutex::new(Chores::default()),
            chore_added: Condvar::new(),
            allocated: Notify::new(),
            budget,
            progress: watch::Sender::new(WriterProgress { durable, ended: None }),
            durable: AtomicU64::new(durable),
            undecided: AtomicU64::new(0),
            recent,
            pins: Mutex::new(RetentionPins::default()),
            metrics: LogMetrics::new(),
        }
    }

    /// The LSN up to which the log is durable.
    pub(super) fn durable(&self) -> u64 {
        self.durable.load(SeqCst)
    }

    /// Counts the commands of an append that was just accepted. Called under the admission lock.
    pub(super) fn note_undecided(&self, append: &Encoded) {
        for part in append.parts.iter().filter(|part| holds_commands(part.partition.topic_partition.topic)) {
            let bytes = part.body.len() as u64;
            let end = part.partition.end(Visibility::Accepted);
            // Added to the total first, so that commands decided at once are not subtracted before they are added.
            self.undecided.fetch_add(bytes, SeqCst);
            part.partition.with_undecided(|undecided| undecided.add(end, bytes));
        }
    }

    /// Notes that the commands of the partition before `next` are decided.
    pub(super) fn decided(&self, topic_partition: TopicPartition, next: u64) {
        let Some(partition) = self.partition(topic_partition) else { return };
        let bytes = partition.with_undecided(|undecided| undecided.decide(next));
        self.undecided.fetch_sub(bytes, SeqCst);
    }

    /// The bytes of all commands that were accepted since the log was opened and are not decided yet.
    pub(super) fn undecided_bytes(&self) -> u64 {
        self.undecided.load(SeqCst)
    }

    /// Notes that the log is durable up to `lsn`. The ends of the partitions must have moved before.
    pub(super) fn set_durable(&self, lsn: u64) {
        let before = self.durable.swap(lsn, SeqCst);
        assert!(before <= lsn, "what was durable stays so");
        self.progress.send_modify(|progress| progress.durable = lsn);
    }

    /// Why the log has ended; `None` while it is open.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.progress.borrow().ended.clone()
    }

    /// Ends the log and wakes every waiting task. The first reason is kept, except that a later one replaces
    /// `ReadOnly`.
    pub(super) fn end(&self, ended: Ended) {
        lock(&self.admission).closed = true;
        self.progress.send_if_modified(|progress| {
            let first = matches!(progress.ended, None | Some(Ended::ReadOnly));
            if first {
                progress.ended = Some(ended);
            }
            first
        });
        self.budget.close();
        self.allocated.notify_waiters();
        self.writable.notify_all();
        for partition in self.all_partitions() {
            partition.wake_all();
        }
    }

    /// The partitions of a topic; empty if the topic does not exist.
    pub(super) fn partitions(&self, topic: Topic) -> &[Arc<PartitionLog>] {
        self.topics[usize::from(topic.id())].get().map_or(&[], Vec::as_slice)
    }

    pub(super) fn partition(&self, topic_partition: TopicPartition) -> Option<&Arc<PartitionLog>> {
        self.partitions(topic_partition.topic).get(usize::from(topic_partition.partition.0))
    }

    pub(super) fn all_partitions(&self) -> impl Iterator<Item = &Arc<PartitionLog>> {
        Topic::ALL.into_iter().flat_map(|topic| self.partitions(topic))
    }

    /// Adds a topic. `stored` returns the bounds and the index of each partition.
    pub(super) fn add_topic(
        &self,
        topic: Topic,
        partitions: u16,
        mut stored: impl FnMut(TopicPartition) -> (std::ops::Range<u64>, PartitionIndex),
    ) {
        let logs = (0..partitions).map(|n| {
            let topic_partition = TopicPartition::new(topic, n);
            let (bounds, index) = stored(topic_partition);
            Arc::new(PartitionLog::new(topic_partition, bounds, index))
        });
        let added = self.topics[usize::from(topic.id())].set(logs.collect());
        assert!(added.is_ok(), "a topic is made once");
    }

    /// The next offset of every partition, with everything that was accepted.
    pub(super) fn heads(&self) -> Heads {
        self.all_partitions().map(|log| (log.topic_partition, log.end(Visibility::Accepted))).collect()
    }

    /// The segment that contains this LSN, or else the first one after it.
    pub(super) fn segment_at(&self, lsn: u64) -> Option<Arc<Segment>> {
        let segments = self.segments.read().expect("no thread panics with the segments locked");
        let before = segments.range(..=lsn).next_back().filter(|(_, segment)| lsn < segment.limit());
        before.or_else(|| segments.range(lsn..).next()).map(|(_, segment)| Arc::clone(segment))
    }

    /// Adds a segment to those in use.
    pub(super) fn add_segment(&self, segment: &Arc<Segment>) {
        let mut segments = self.segments.write().expect("no thread panics with the segments locked");
        segments.insert(segment.base, Arc::clone(segment));
    }

    /// Adds a chore with `add`, and wakes the allocator.
    pub(super) fn add_chore(&self, add: impl FnOnce(&mut Chores)) {
        add(&mut lock(&self.chores));
        self.chore_added.notify_all();
    }

    /// Requests the next segment again if its allocation has failed.
    pub(super) fn retry_allocation(&self, admission: &mut Admission) {
        if matches!(admission.next, Next::Failed) {
            admission.next = Next::Wanted;
            self.add_chore(|chores| chores.allocate = true);
        }
    }
}
