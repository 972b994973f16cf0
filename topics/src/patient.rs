//! A log that retries reads and waits while it is unavailable.

use std::{ops::Range, sync::Arc, time::Duration};

use async_trait::async_trait;
use orderflow_schemas::{LogId, Offset, Topic, TopicPartition};
use orderflow_world::World;

use crate::{AppendError, Appended, Batch, Chunk, Durability, LogError, Receipt, Topics, Visibility};

/// The pause before the first retry; each following pause is twice as long.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause between two retries.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Called with `true` when the log becomes unavailable, and with `false` when it is available again.
pub type Report = Box<dyn Fn(bool) + Send + Sync>;

/// A log that retries reads and waits while the engine is unavailable ([`LogError::Away`]). It is meant for loops,
/// which have nothing else to do. Code that answers a client uses the engine itself, within a time limit.
///
/// Appends are not repeated: only their caller knows what an unknown outcome means.
pub struct Patient {
    topics: Arc<dyn Topics>,
    world: Arc<dyn World>,
    report: Report,
}

impl Patient {
    /// Wraps `topics`. `report` is called with `true` when the log becomes unavailable and with `false` when it is
    /// back.
    pub fn new(topics: Arc<dyn Topics>, world: Arc<dyn World>, report: Report) -> Self {
        Self { topics, world, report }
    }

    async fn wait<T, F>(&self, call: impl Fn() -> F) -> Result<T, LogError>
    where
        F: Future<Output = Result<T, LogError>>,
    {
        let mut pause = PAUSE_MIN;
        let mut is_away = false;
        loop {
            match call().await {
                Err(LogError::Away(why)) => {
                    if !is_away {
                        tracing::warn!(%why, "the log is away; it is waited for");
                        (self.report)(true);
                    }
                    is_away = true;
                    self.world.sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                other => {
                    if is_away {
                        (self.report)(false);
                    }
                    return other;
                }
            }
        }
    }
}

#[async_trait]
impl Topics for Patient {
    fn id(&self) -> LogId {
        self.topics.id()
    }

    async fn create(&self, topic: Topic, partitions: u16) -> Result<(), LogError> {
        self.wait(|| self.topics.create(topic, partitions)).await
    }

    fn partitions(&self, topic: Topic) -> u16 {
        self.topics.partitions(topic)
    }

    async fn append(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.topics.append(batches).await
    }

    async fn append_new(&self, batches: Vec<Batch>) -> Result<Appended, AppendError> {
        self.topics.append_new(batches).await
    }

    fn decided(&self, topic_partition: TopicPartition, next: Offset) {
        self.topics.decided(topic_partition, next);
    }

    async fn durable(&self, receipt: Receipt) -> Result<(), LogError> {
        self.wait(|| self.topics.durable(receipt)).await
    }

    async fn read(
        &self,
        topic_partition: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError> {
        self.wait(|| self.topics.read(topic_partition, from, bytes_max, visibility)).await
    }

    async fn bounds(
        &self,
        topic_partition: TopicPartition,
        visibility: Visibility,
    ) -> Result<Range<Offset>, LogError> {
        self.wait(|| self.topics.bounds(topic_partition, visibility)).await
    }

    async fn wait_beyond(
        &self,
        topic_partition: TopicPartition,
        offset: Offset,
        visibility: Visibility,
    ) -> Result<(), LogError> {
        self.wait(|| self.topics.wait_beyond(topic_partition, offset, visibility)).await
    }

    fn retain_from(&self, reader: &str, topic_partition: TopicPartition, from: Offset) {
        self.topics.retain_from(reader, topic_partition, from);
    }

    fn atomic(&self) -> bool {
        self.topics.atomic()
    }

    fn durability(&self) -> Durability {
        self.topics.durability()
    }
}
