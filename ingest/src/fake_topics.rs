//! A log in memory for this crate's tests: it fails as it is told and answers commands as a processor would.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{
    AppendError, Appended, Batch, Chunk, Durability, ReadError, Receipt, Rejection, Topics, Visibility,
};
use tokio::sync::watch;

/// What the next append of commands comes to.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused.
    Rejected(Rejection),
    /// Nobody knows; in truth it was written.
    UnknownButWritten,
    /// Nobody knows; in truth it was not.
    UnknownAndLost,
}

/// Makes events of a command: where they go, and their bytes.
pub type Decider = Box<dyn Fn(TopicPartition, Offset, &[u8]) -> Vec<(TopicPartition, Bytes)> + Send>;

/// The log.
pub struct FakeTopics {
    partitions: u16,
    records: Mutex<HashMap<TopicPartition, Vec<Bytes>>>,
    faults: Mutex<VecDeque<Fault>>,
    attempts: Mutex<Vec<Vec<Bytes>>>,
    decider: Mutex<Option<Decider>>,
    changed: watch::Sender<u64>,
}

impl FakeTopics {
    /// With so many partitions of each topic.
    pub fn new(partitions: u16) -> Arc<Self> {
        Arc::new(Self {
            partitions,
            records: Mutex::default(),
            faults: Mutex::default(),
            attempts: Mutex::default(),
            decider: Mutex::default(),
            changed: watch::channel(0).0,
        })
    }

    /// The next appends come to this.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().extend(faults);
    }

    /// Commands are answered by this.
    pub fn decide_by(&self, decider: Decider) {
        *self.decider.lock().unwrap() = Some(decider);
    }

    /// What a partition holds.
    pub fn records(&self, at: TopicPartition) -> Vec<Bytes> {
        self.records.lock().unwrap().get(&at).cloned().unwrap_or_default()
    }

    /// How many records all partitions of a topic hold.
    pub fn count(&self, topic: Topic) -> usize {
        (0..self.partitions).map(|n| self.records(TopicPartition::new(topic, n)).len()).sum()
    }

    /// What each append brought, whatever came of it.
    pub fn attempts(&self) -> Vec<Vec<Bytes>> {
        self.attempts.lock().unwrap().clone()
    }

    /// Writes records as they are.
    pub fn write(&self, at: TopicPartition, records: impl IntoIterator<Item = Bytes>) -> Offset {
        let first = {
            let mut all = self.records.lock().unwrap();
            let partition = all.entry(at).or_default();
            let first = partition.len();
            partition.extend(records);
            Offset(first as u64)
        };
        self.changed.send_modify(|changes| *changes += 1);
        first
    }

    fn take(&self, batch: Batch) -> Offset {
        let first = self.write(batch.at, batch.records.iter().cloned());
        let mut written = Vec::new();
        if let Some(decide) = &*self.decider.lock().unwrap() {
            for (at, record) in batch.records.iter().enumerate() {
                written.extend(decide(batch.at, Offset(first.0 + at as u64), record));
            }
        }
        for (at, record) in written {
            self.write(at, [record]);
        }
        first
    }
}

#[async_trait]
impl Topics for FakeTopics {
    async fn create(&self, _: Topic, _: u16) -> Result<(), ReadError> {
        Ok(())
    }

    fn partitions(&self, _: Topic) -> u16 {
        self.partitions
    }

    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.attempts.lock().unwrap().extend(batches.iter().map(|batch| batch.records.clone()));
        let fault = self.faults.lock().unwrap().pop_front();
        match fault {
            Some(Fault::Rejected(rejection)) => return Err(AppendError::Rejected(rejection)),
            Some(Fault::UnknownAndLost) => return Err(AppendError::Unknown("cut".into())),
            _ => {}
        }
        let offsets = batches.into_iter().map(|batch| self.take(batch)).collect();
        match fault {
            Some(_) => Err(AppendError::Unknown("cut".into())),
            None => Ok(Appended { offsets, receipt: Receipt(*self.changed.borrow()) }),
        }
    }

    async fn durable(&self, _: Receipt) -> Result<(), ReadError> {
        Ok(())
    }

    async fn read(
        &self,
        at: TopicPartition,
        from: Offset,
        _: usize,
        _: Visibility,
    ) -> Result<Chunk, ReadError> {
        let all = self.records(at);
        let records = all.get(from.0 as usize..).unwrap_or_default().to_vec();
        Ok(Chunk { from, records, end: Offset(all.len() as u64) })
    }

    async fn bounds(&self, at: TopicPartition, _: Visibility) -> Result<Range<Offset>, ReadError> {
        Ok(Offset::ZERO..Offset(self.records(at).len() as u64))
    }

    async fn wait_beyond(&self, at: TopicPartition, offset: Offset, _: Visibility) -> Result<(), ReadError> {
        let mut changed = self.changed.subscribe();
        while self.records(at).len() as u64 <= offset.0 {
            changed.changed().await.expect("the log outlives its readers");
        }
        Ok(())
    }

    fn hold(&self, _: &str, _: TopicPartition, _: Offset) {}

    fn atomic(&self) -> bool {
        true
    }

    fn durability(&self) -> Durability {
        Durability::LocalDisk
    }
}
