//! The [`Topics`] of the embedded log: its interface for async code.

use std::{pin::pin, sync::Arc};

use async_trait::async_trait;
use orderflow_schemas::{LogId, Offset, Topic, TopicPartition};

use super::{
    EmbeddedLog,
    admission::{Purpose, Verdict},
    catalog::Catalog,
    encode::Encoded,
    engine::empty,
    lock,
    shared::Shared,
};
use crate::{
    AppendError, AppendRejection, Appended, Batch, Chunk, Durability, LogError, Receipt, Topics, Visibility,
};

#[async_trait]
impl Topics for EmbeddedLog {
    fn id(&self) -> LogId {
        self.shared.id.clone()
    }

    async fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError> {
        if !self.shared.disk.blocks() {
            return self.shared.create(topic, partitions);
        }
        let shared = Arc::clone(&self.shared);
        let created = tokio::task::spawn_blocking(move || shared.create(topic, partitions)).await;
        created.map_err(|error| unavailable(error.to_string()))?
    }

    fn partitions(&self, topic: Topic) -> u16 {
        u16::try_from(self.shared.partitions(topic).len()).unwrap_or(u16::MAX)
    }

    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.shared.append_batches(batches, Purpose::Any).await
    }

    async fn append_new(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.shared.append_batches(batches, Purpose::New).await
    }

    fn decided(&self, topic_partition: TopicPartition, next: Offset) {
        self.shared.decided(topic_partition, next.0);
    }

    async fn durable(&self, receipt: Receipt) -> Result<(), LogError> {
        if self.shared.durable() >= receipt.0 {
            return Ok(());
        }
        let mut progress = self.shared.progress.subscribe();
        let settled = progress
            .wait_for(|progress| progress.durable >= receipt.0 || progress.ended.is_some())
            .await
            .map_err(|error| unavailable(error.to_string()))?;
        match &settled.ended {
            Some(ended) if settled.durable < receipt.0 => Err(LogError::Unavailable(ended.why())),
            _ => Ok(()),
        }
    }

    async fn read(
        &self,
        topic_partition: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError> {
        self.shared.read(topic_partition, from, bytes_max, visibility).await
    }

    async fn bounds(
        &self,
        topic_partition: TopicPartition,
        visibility: Visibility,
    ) -> Result<std::ops::Range<Offset>, LogError> {
        let partition =
            self.shared.partition(topic_partition).ok_or(LogError::NoSuchPartition(topic_partition))?;
        Ok(Offset(partition.start())..Offset(partition.end(visibility)))
    }

    async fn wait_beyond(
        &self,
        topic_partition: TopicPartition,
        offset: Offset,
        visibility: Visibility,
    ) -> Result<(), LogError> {
        let partition =
            self.shared.partition(topic_partition).ok_or(LogError::NoSuchPartition(topic_partition))?;
        loop {
            let mut moved = pin!(partition.waiters(visibility).notified());
            moved.as_mut().enable();
            if partition.end(visibility) > offset.0 {
                return Ok(());
            }
            if let Some(ended) = self.shared.ended() {
                return Err(LogError::Unavailable(ended.why()));
            }
            moved.await;
        }
    }

    fn retain_from(&self, reader: &str, topic_partition: TopicPartition, from: Offset) {
        lock(&self.shared.pins).retain_from(reader, topic_partition, from);
    }

    fn atomic(&self) -> bool {
        true
    }

    fn durability(&self) -> Durability {
        Durability::LocalDisk
    }
}

impl Shared {
    fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError> {
        let _creating = lock(&self.creating);
        let existing = self.partitions(topic).len();
        if existing == usize::from(partitions) && existing > 0 {
            return Ok(());
        }
        if existing > 0 || partitions == 0 {
            return Err(LogError::PartitionCount { topic, existing, wanted: partitions });
        }
        if let Some(ended) = self.ended() {
            return Err(LogError::Unavailable(ended.why()));
        }
        let mut catalog = Catalog::new(self.id.clone());
        for log in self.all_partitions() {
            catalog.set(log.topic_partition.topic, log.topic_partition.partition.0 + 1);
        }
        catalog.set(topic, partitions);
        if catalog.partitions_total() > self.settings.partitions_max() {
            return Err(unavailable(format!("{partitions} partitions more are too many for segment_bytes")));
        }
        catalog
            .store(&*self.disk, &self.dir)
            .map_err(|error| unavailable(format!("writing the list of topics: {error}")))?;
        self.add_topic(topic, partitions, empty);
        Ok(())
    }

    /// Encodes the batches and appends them.
    async fn append_batches(&self, batches: Vec<Batch>, purpose: Purpose) -> Result<Appended, AppendError> {
        let append = Encoded::new(&batches, &self.settings, |batch| self.partition(batch.topic_partition))
            .map_err(AppendError::Rejected)?;
        drop(batches);
        self.append(&append, purpose).await.map_err(AppendError::Rejected)
    }

    /// Appends an encoded append. Dropping the future before it returns leaves nothing behind.
    async fn append(&self, append: &Encoded, purpose: Purpose) -> Result<Appended, AppendRejection> {
        let permits = self.budget.acquire_many(append.permits).await.map_err(|_| AppendRejection::Closed)?;
        let mut asked = None;
        loop {
            let mut allocated = pin!(self.allocated.notified());
            allocated.as_mut().enable();
            match self.admit(append, purpose, &mut asked) {
                Ok(Verdict::Accepted(appended)) => {
                    permits.forget();
                    append.parts.iter().for_each(|part| part.partition.wake(Visibility::Accepted));
                    return Ok(appended);
                }
                Ok(Verdict::Closed) => return Err(AppendRejection::Closed),
                Ok(Verdict::NeedsSegment) => allocated.await,
                Err(why) => return Err(AppendRejection::Full(why)),
            }
        }
    }

    /// Admits an append if possible. `asked` keeps the number of allocation attempts begun when the append first needed
    /// a segment. An error is the reason why there is no space: an attempt begun later has failed, or the space left is
    /// reserved.
    fn admit(
        &self,
        append: &Encoded,
        purpose: Purpose,
        asked: &mut Option<u64>,
    ) -> Result<Verdict, Arc<str>> {
        let mut admission = lock(&self.admission);
        if purpose == Purpose::New
            && let Some(why) = self.refuses_new(&admission, append.size)
        {
            return Err(why);
        }
        let before = admission.active.base;
        let verdict = admission.admit(append, &self.settings, || self.heads());
        match verdict {
            Verdict::Accepted(_) => {
                if admission.active.base != before {
                    self.add_segment(&admission.active);
                    self.add_chore(|chores| chores.allocate = true);
                }
                self.note_undecided(append);
                admission.cache.evict(self.settings.cache_bytes_max, self.durable());
                drop(admission);
                self.writable.notify_one();
            }
            Verdict::NeedsSegment => {
                let asked = *asked.get_or_insert(admission.attempts);
                if admission.failed_attempt > asked {
                    return Err(Arc::clone(&admission.why_full));
                }
                self.retry_allocation(&mut admission);
            }
            Verdict::Closed => {}
        }
        Ok(verdict)
    }

    /// Rejects appends from now on. The writer ends once it has written everything that was accepted.
    pub(super) fn stop_appends(&self) {
        lock(&self.admission).closed = true;
        self.budget.close();
        self.allocated.notify_waiters();
        self.writable.notify_all();
    }

    /// Queues the first work of the writer and the allocator. `rebuilt` are index files that are to be written.
    pub(super) fn start(&self, rebuilt: Vec<super::index::SealedIndex>) {
        let mut admission = lock(&self.admission);
        let active = Arc::clone(&admission.active);
        if admission.tail == active.base {
            admission.start_segment(self.heads());
        }
        self.add_chore(|chores| {
            chores.sealed = rebuilt;
            chores.zeroing.push(active);
            match &admission.next {
                super::admission::Next::Ready(next) => chores.zeroing.push(Arc::clone(next)),
                _ => chores.allocate = true,
            }
        });
    }
}

fn unavailable(why: String) -> LogError {
    LogError::Unavailable(why.into())
}
