//! The log as seen through a network: calls are delayed, repeated, or lose their answer.
//!
//! It does what the contract of [`Topics`] permits and the embedded log never does:
//! - an append with an unknown outcome, whether it was done or not;
//! - an append that is done twice, or after its caller has crashed;
//! - a log that is full for a while;
//! - batches of one append that are written one by one, in any order except for the last;
//! - reads that return fewer records than asked.
//!
//! Records that are served are compared with those known to be durable.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use orderflow_schemas::{LogId, Offset, Topic, TopicPartition};
use orderflow_topics::{
    AppendError, AppendRejection, Appended, Batch, Chunk, Durability, EmbeddedLog, LogError, Receipt, Topics,
    Visibility,
};
use orderflow_world::World;

use crate::{
    check::{Truth, Violation},
    world::SimWorld,
};

/// The probability of each fault, from 0 to 1 for each call.
#[derive(Clone, Copy, Debug, Default)]
pub struct WireFaults {
    /// A call is delayed before it reaches the log.
    pub delay: f64,
    /// An append is done, and its answer is lost.
    pub lost_answer: f64,
    /// An append is lost, and its caller gets an unknown outcome.
    pub lost_append: f64,
    /// An append is done twice in a row.
    pub twice: f64,
    /// An append is done again later.
    pub again_later: f64,
    /// The log reports that it is full.
    pub full: f64,
    /// A read returns fewer records than there are.
    pub short_read: f64,
    /// Whether the batches of an append are written one by one, as by a cluster: the last one last, the others in any
    /// order.
    pub one_by_one: bool,
}

/// The state that all clones of the wire share.
struct State {
    faults: WireFaults,
    rng: fastrand::Rng,
    late: Vec<Vec<Batch>>,
    violation: Option<Violation>,
    /// A record that the log has lost. The records after it have moved to the offset before.
    lost: Option<(TopicPartition, Offset)>,
}

/// The log behind the wire. Clones share it.
#[derive(Clone)]
pub struct Wire {
    log: Arc<EmbeddedLog>,
    world: SimWorld,
    truth: Arc<Mutex<Truth>>,
    state: Arc<Mutex<State>>,
}

impl Wire {
    /// A wire to this log. The seed determines all random choices.
    pub fn new(
        log: Arc<EmbeddedLog>,
        world: SimWorld,
        truth: Arc<Mutex<Truth>>,
        faults: WireFaults,
        seed: u64,
    ) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let state = State { faults, rng, late: Vec::new(), violation: None, lost: None };
        Self { log, world, truth, state: Arc::new(Mutex::new(state)) }
    }

    /// Turns all faults off.
    pub fn heal(&self) {
        let mut state = self.lock();
        state.faults = WireFaults { one_by_one: state.faults.one_by_one, ..WireFaults::default() };
    }

    /// Takes an append that is to be done late, again or for the first time. No caller waits for it.
    pub fn take_late(&self) -> Option<Vec<Batch>> {
        self.lock().late.pop()
    }

    /// Does a late append.
    pub async fn deliver(&self, batches: Vec<Batch>) {
        // No caller waits, so the outcome does not matter here.
        drop(self.write(batches, false).await);
    }

    /// Loses this record: from now on, all records after it have the offset before theirs.
    pub fn lose(&self, topic_partition: TopicPartition, offset: Offset) {
        self.lock().lost = Some((topic_partition, offset));
    }

    fn lost(&self, topic_partition: TopicPartition) -> Option<Offset> {
        self.lock().lost.filter(|(lost, _)| *lost == topic_partition).map(|(_, offset)| offset)
    }

    /// The first record that was served and differs from the durable one, if there is one.
    pub fn violation(&self) -> Option<Violation> {
        self.lock().violation.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn chance(&self, of: impl Fn(&WireFaults) -> f64) -> bool {
        let mut state = self.lock();
        let probability = of(&state.faults);
        probability > 0.0 && state.rng.f64() < probability
    }

    async fn delay(&self) {
        if self.chance(|faults| faults.delay) {
            let pause = Duration::from_millis(self.lock().rng.u64(1..3_000));
            self.world.sleep(pause).await;
        }
    }

    async fn write(&self, batches: Vec<Batch>, is_new: bool) -> Result<Appended, AppendError> {
        if is_new {
            return self.log.append_new(batches).await;
        }
        if !self.lock().faults.one_by_one {
            return self.log.append(batches).await;
        }
        let batches: Vec<_> = batches.into_iter().enumerate().collect();
        let mut offsets = vec![Offset::ZERO; batches.len()];
        let mut receipt = Receipt(0);
        for (nth, (place, batch)) in self.in_some_order(batches).into_iter().enumerate() {
            self.delay().await;
            let appended = match self.log.append(vec![batch]).await {
                // Some batches are written, so the whole append is neither done nor rejected.
                Err(error) if nth > 0 => return Err(AppendError::Unknown(error.to_string().into())),
                other => other?,
            };
            offsets[place] = appended.offsets[0];
            receipt = receipt.max(appended.receipt);
        }
        Ok(Appended { offsets, receipt })
    }

    /// Appends, with the faults of the wire.
    async fn send(&self, batches: Vec<Batch>, is_new: bool) -> Result<Appended, AppendError> {
        let mut under_way = UnderWay { wire: self, batches: Some(batches.clone()) };
        self.delay().await;
        let unknown = || AppendError::Unknown("the connection was lost".into());
        let answer = if self.chance(|faults| faults.full) {
            Err(AppendError::Rejected(AppendRejection::Full("for the simulation".into())))
        } else if self.chance(|faults| faults.lost_append) {
            Err(unknown())
        } else if self.chance(|faults| faults.lost_answer) {
            self.write(batches, is_new).await.and(Err(unknown()))
        } else if self.chance(|faults| faults.twice) {
            match self.write(batches.clone(), is_new).await {
                // An engine that repeats by itself returns the offsets of the first copy, and waits for both copies.
                Ok(first) => match self.write(batches, is_new).await {
                    Ok(again) => Ok(Appended { receipt: again.receipt.max(first.receipt), ..first }),
                    Err(_) => Ok(first),
                },
                refused => refused,
            }
        } else {
            let appended = self.write(batches.clone(), is_new).await;
            if appended.is_ok() && self.chance(|faults| faults.again_later) {
                self.lock().late.push(batches);
            }
            appended
        };
        under_way.batches = None;
        answer
    }

    /// All batches but the last in random order, those of one partition in their own order, and then the last one.
    fn in_some_order(&self, mut batches: Vec<(usize, Batch)>) -> Vec<(usize, Batch)> {
        let Some(last) = batches.pop() else { return batches };
        let mut places: Vec<_> = batches.iter().map(|(_, batch)| batch.topic_partition).collect();
        self.lock().rng.shuffle(&mut places);
        let mut ordered = Vec::with_capacity(batches.len() + 1);
        for topic_partition in places {
            let next = batches
                .iter()
                .position(|(_, batch)| batch.topic_partition == topic_partition)
                .expect("each place has its batch");
            ordered.push(batches.remove(next));
        }
        ordered.push(last);
        ordered
    }
}

/// An append in progress. If its caller crashes, the append may still be done. Once the caller knows that the append
/// was rejected, it must not be done: its numbers are then given to other records.
struct UnderWay<'a> {
    wire: &'a Wire,
    batches: Option<Vec<Batch>>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(batches) = self.batches.take()
            && self.wire.chance(|faults| faults.again_later * 4.0)
        {
            self.wire.lock().late.push(batches);
        }
    }
}

#[async_trait]
impl Topics for Wire {
    fn id(&self) -> LogId {
        self.log.id()
    }

    async fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError> {
        self.log.create(topic, partitions).await
    }

    fn partitions(&self, topic: Topic) -> u16 {
        self.log.partitions(topic)
    }

    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.send(batches, false).await
    }

    async fn append_new(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.send(batches, true).await
    }

    fn decided(&self, topic_partition: TopicPartition, next: Offset) {
        self.log.decided(topic_partition, next);
    }

    async fn durable(&self, receipt: Receipt) -> Result<(), LogError> {
        self.delay().await;
        self.log.durable(receipt).await
    }

    async fn read(
        &self,
        topic_partition: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError> {
        self.delay().await;
        let lost = self.lost(topic_partition);
        let moved = if lost.is_some_and(|lost| from >= lost) { from.next() } else { from };
        let mut chunk = self.log.read(topic_partition, moved, bytes_max, visibility).await?;
        if chunk.records.len() > 1 && self.chance(|faults| faults.short_read) {
            chunk.records.truncate(self.lock().rng.usize(1..chunk.records.len()));
        }
        if let Some(lost) = lost {
            chunk.from = from;
            chunk.end = before(chunk.end, lost);
            if from < lost {
                chunk.records.truncate(usize::try_from(lost.0 - from.0).unwrap_or(usize::MAX));
            }
            return Ok(chunk);
        }
        let truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(violation) = truth.served(topic_partition, &chunk) {
            self.lock().violation.get_or_insert(violation);
        }
        Ok(chunk)
    }

    async fn bounds(
        &self,
        topic_partition: TopicPartition,
        visibility: Visibility,
    ) -> Result<std::ops::Range<Offset>, LogError> {
        let mut bounds = self.log.bounds(topic_partition, visibility).await?;
        if let Some(lost) = self.lost(topic_partition) {
            bounds.end = before(bounds.end, lost);
        }
        Ok(bounds)
    }

    async fn wait_beyond(
        &self,
        topic_partition: TopicPartition,
        offset: Offset,
        visibility: Visibility,
    ) -> Result<(), LogError> {
        let lost = self.lost(topic_partition).is_some_and(|lost| offset >= lost);
        self.log.wait_beyond(topic_partition, if lost { offset.next() } else { offset }, visibility).await
    }

    fn retain_from(&self, reader: &str, topic_partition: TopicPartition, from: Offset) {
        self.log.retain_from(reader, topic_partition, from);
    }

    fn atomic(&self) -> bool {
        !self.lock().faults.one_by_one
    }

    fn durability(&self) -> Durability {
        self.log.durability()
    }
}

/// The end of a partition that has lost a record.
fn before(end: Offset, lost: Offset) -> Offset {
    if end > lost { Offset(end.0 - 1) } else { end }
}
