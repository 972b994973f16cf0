//! An in-memory log, for tests of code that uses a log. It passes the conformance suite, and fails on request.

use std::{
    collections::{BTreeMap, VecDeque},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use orderflow_schemas::{LogId, Offset, Topic, TopicPartition};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    AppendError, AppendRejection, Appended, Batch, Chunk, Durability, LogError, Receipt, Topics, Visibility,
};

/// How an append fails.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The append is rejected; nothing is written.
    Rejected(AppendRejection),
    /// The outcome is unknown; the records are written.
    UnknownButWritten,
    /// The outcome is unknown; the records are not written.
    UnknownAndLost,
}

/// Called with each written batch and the offset of its first record. Returns the batches to write after it. It stands
/// in for the loops that follow the log in the real system.
pub type Reaction = Box<dyn Fn(&Batch, Offset) -> Vec<Batch> + Send>;

/// The in-memory log. Its records are gone once the last handle is dropped.
pub struct MemoryTopics {
    id: LogId,
    state: Mutex<State>,
    /// Changes whenever a partition's bounds change, and when the log closes.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    partitions: BTreeMap<TopicPartition, Stored>,
    counts: BTreeMap<Topic, u16>,
    /// The number of appends that were accepted.
    appends: u64,
    /// The number of accepted appends that are durable.
    durable: u64,
    /// Whether accepted appends stay not durable until [`MemoryTopics::sync`] is called.
    unsynced: bool,
    closed: bool,
    /// The number of reads and waits that will still fail with [`LogError::Away`].
    away: usize,
    faults: VecDeque<Fault>,
    attempts: Vec<Batch>,
    pins: Vec<(String, TopicPartition, Offset)>,
    reaction: Option<Reaction>,
}

/// The stored records of one partition and its bounds.
#[derive(Default)]
struct Stored {
    start: u64,
    records: Vec<Bytes>,
    durable_end: u64,
}

impl Stored {
    fn bounds(&self, visibility: Visibility) -> Range<u64> {
        let end = self.start + self.records.len() as u64;
        let end = if visibility == Visibility::Durable { self.durable_end } else { end };
        self.start..end.max(self.start)
    }
}

impl State {
    fn stored(&self, topic_partition: TopicPartition) -> Result<&Stored, LogError> {
        self.partitions.get(&topic_partition).ok_or(LogError::NoSuchPartition(topic_partition))
    }

    fn check(&self, batches: &[Batch]) -> Result<(), AppendError> {
        if self.closed {
            return Err(AppendError::Rejected(AppendRejection::Closed));
        }
        match batches.iter().find(|batch| !self.partitions.contains_key(&batch.topic_partition)) {
            Some(batch) => {
                Err(AppendError::Rejected(AppendRejection::NoSuchPartition(batch.topic_partition)))
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, batch: Batch) -> Offset {
        let reactions = self.reaction.as_ref();
        let Some(stored) = self.partitions.get_mut(&batch.topic_partition) else { return Offset::ZERO };
        let first = Offset(stored.start + stored.records.len() as u64);
        stored.records.extend(batch.records.iter().cloned());
        let reactions = reactions.map(|reaction| reaction(&batch, first)).unwrap_or_default();
        for reaction in reactions {
            self.write(reaction);
        }
        first
    }

    fn sync(&mut self) {
        self.durable = self.appends;
        for stored in self.partitions.values_mut() {
            stored.durable_end = stored.bounds(Visibility::Accepted).end;
        }
    }
}

impl Default for MemoryTopics {
    fn default() -> Self {
        let id = Uuid::new_v4().to_string().parse().expect("a UUID is visible ASCII");
        Self { id, state: Mutex::default(), changes: watch::Sender::default() }
    }
}

impl MemoryTopics {
    /// Creates a log without topics.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Creates a log in which each topic has `partitions` partitions.
    pub fn with_partitions(partitions: u16) -> Arc<Self> {
        let log = Self::default();
        for topic in Topic::ALL {
            log.make(topic, partitions);
        }
        Arc::new(log)
    }

    fn make(&self, topic: Topic, partitions: u16) {
        let mut state = self.state();
        state.counts.insert(topic, partitions);
        for number in 0..partitions {
            state.partitions.entry(TopicPartition::new(topic, number)).or_default();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Only a reaction can panic while the lock is held, and then its test is over.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|changes| *changes += 1);
    }

    /// Makes the next appends fail with these faults, in order, one fault an append.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// From now on, calls `reaction` with each batch that is written.
    pub fn react(&self, reaction: Reaction) {
        self.state().reaction = Some(reaction);
    }

    /// From now on, appends become durable only with [`Self::sync`].
    pub fn hold_back(&self) {
        self.state().unsynced = true;
    }

    /// Makes all accepted appends durable.
    pub fn sync(&self) {
        self.state().sync();
        self.changed();
    }

    /// Appends records, regardless of the faults set with [`Self::fail`]. Returns the offset of the first record.
    ///
    /// # Panics
    ///
    /// If the partition does not exist, or if the log is closed.
    pub fn put(&self, topic_partition: TopicPartition, records: impl IntoIterator<Item = Bytes>) -> Offset {
        let batch = Batch { topic_partition, records: records.into_iter().collect() };
        let mut state = self.state();
        state.check(std::slice::from_ref(&batch)).expect("the partition is there");
        state.appends += 1;
        let first = state.write(batch);
        if !state.unsynced {
            state.sync();
        }
        drop(state);
        self.changed();
        first
    }

    /// Removes the records before `start`, as retention does.
    pub fn trim(&self, topic_partition: TopicPartition, start: Offset) {
        if let Some(stored) = self.state().partitions.get_mut(&topic_partition) {
            let removed = start.0.saturating_sub(stored.start).min(stored.records.len() as u64);
            stored.records.drain(..usize::try_from(removed).expect("records are in memory"));
            // An empty partition may begin at any offset.
            stored.start =
                if stored.records.is_empty() { start.0.max(stored.start) } else { stored.start + removed };
            stored.durable_end = stored.durable_end.max(stored.start);
        }
        self.changed();
    }

    /// All records that the partition holds, oldest first, whether durable or not.
    pub fn records(&self, topic_partition: TopicPartition) -> Vec<Bytes> {
        self.state().partitions.get(&topic_partition).map(|stored| stored.records.clone()).unwrap_or_default()
    }

    /// The batches of all appends in order, whatever the outcome. Appends to a closed log or an unknown partition are
    /// left out.
    pub fn attempts(&self) -> Vec<Batch> {
        self.state().attempts.clone()
    }

    /// The arguments of every call of [`Topics::retain_from`] so far, in order.
    pub fn pins(&self) -> Vec<(String, TopicPartition, Offset)> {
        self.state().pins.clone()
    }

    /// Makes the next `calls` reads and waits fail with [`LogError::Away`].
    pub fn be_away(&self, calls: usize) {
        self.state().away = calls;
    }

    fn check_there(&self) -> Result<(), LogError> {
        let mut state = self.state();
        match state.away.checked_sub(1) {
            Some(left) => {
                state.away = left;
                Err(LogError::Away("told to be".into()))
            }
            None => Ok(()),
        }
    }

    /// Closes the log: appends are refused, and pending waits fail.
    pub fn close(&self) {
        self.state().closed = true;
        self.changed();
    }

    async fn wait(&self, done: impl Fn(&State) -> Result<bool, LogError>) -> Result<(), LogError> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            {
                let state = self.state();
                if done(&state)? {
                    return Ok(());
                }
                if state.closed {
                    return Err(LogError::Unavailable("it was closed".into()));
                }
            }
            changes.changed().await.map_err(|_| LogError::Unavailable("it is gone".into()))?;
        }
    }
}

#[async_trait]
impl Topics for MemoryTopics {
    fn id(&self) -> LogId {
        self.id.clone()
    }

    async fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError> {
        let existing = self.partitions(topic);
        if existing != 0 && existing != partitions {
            return Err(LogError::PartitionCount { topic, existing: existing.into(), wanted: partitions });
        }
        self.make(topic, partitions);
        Ok(())
    }

    fn partitions(&self, topic: Topic) -> u16 {
        self.state().counts.get(&topic).copied().unwrap_or(0)
    }

    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        let (fault, appended) = {
            let mut state = self.state();
            state.check(&batches)?;
            state.attempts.extend(batches.iter().cloned());
            let fault = state.faults.pop_front();
            match fault {
                Some(Fault::Rejected(rejection)) => return Err(AppendError::Rejected(rejection)),
                Some(Fault::UnknownAndLost) => return Err(AppendError::Unknown("told to fail".into())),
                Some(Fault::UnknownButWritten) | None => {}
            }
            state.appends += 1;
            let receipt = Receipt(state.appends);
            let offsets = batches.into_iter().map(|batch| state.write(batch)).collect();
            if !state.unsynced {
                state.sync();
            }
            (fault, Appended { offsets, receipt })
        };
        self.changed();
        match fault {
            Some(_) => Err(AppendError::Unknown("told to fail".into())),
            None => Ok(appended),
        }
    }

    async fn durable(&self, receipt: Receipt) -> Result<(), LogError> {
        self.check_there()?;
        self.wait(|state| Ok(state.durable >= receipt.0)).await
    }

    async fn read(
        &self,
        topic_partition: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError> {
        self.check_there()?;
        let state = self.state();
        let stored = state.stored(topic_partition)?;
        let Range { start, end } = stored.bounds(visibility);
        if from.0 < start {
            return Err(LogError::Trimmed { topic_partition, start: Offset(start) });
        }
        let (mut records, mut bytes) = (Vec::new(), 0);
        let index = |offset: u64| usize::try_from(offset - start).expect("records are in memory");
        for record in &stored.records[index(from.0.min(end))..index(end)] {
            bytes += record.len();
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            records.push(record.clone());
        }
        Ok(Chunk { from, records, end: Offset(end) })
    }

    async fn bounds(
        &self,
        topic_partition: TopicPartition,
        visibility: Visibility,
    ) -> Result<Range<Offset>, LogError> {
        self.check_there()?;
        let Range { start, end } = self.state().stored(topic_partition)?.bounds(visibility);
        Ok(Offset(start)..Offset(end))
    }

    async fn wait_beyond(
        &self,
        topic_partition: TopicPartition,
        offset: Offset,
        visibility: Visibility,
    ) -> Result<(), LogError> {
        self.check_there()?;
        self.wait(|state| Ok(state.stored(topic_partition)?.bounds(visibility).end > offset.0)).await
    }

    fn retain_from(&self, reader: &str, topic_partition: TopicPartition, from: Offset) {
        self.state().pins.push((reader.to_owned(), topic_partition, from));
    }

    fn atomic(&self) -> bool {
        true
    }

    fn durability(&self) -> Durability {
        Durability::LocalDisk
    }
}
