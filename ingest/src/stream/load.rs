//! The valid lines of one stream on their way to the log. They are gathered by partition, appended with a bound on the
//! appends in flight, and counted when they are accepted.

use std::collections::VecDeque;

use orderflow_schemas::{Partition, Payload, Position, Topic, TopicPartition, envelope::TraceParent};
use tokio::sync::oneshot;

use crate::{
    appender::{AppendedCommands, EncodedCommands, Refusal, SubmissionResult},
    service::Ingest,
};

/// The valid lines of one stream, as commands of one topic.
pub struct Load<'a> {
    ingest: &'a Ingest,
    topic: Topic,
    trace: TraceParent,
    groups: Vec<EncodedCommands>,
    /// The partitions whose group is large enough to be appended.
    full: Vec<Partition>,
    under_way: VecDeque<oneshot::Receiver<SubmissionResult>>,
    accepted: u64,
    last: Option<AppendedCommands>,
    position: Position,
}

impl<'a> Load<'a> {
    /// An empty load for a topic of commands.
    pub fn new(ingest: &'a Ingest, topic: Topic, trace: TraceParent) -> Self {
        let groups = (0..ingest.partitions(topic)).map(|_| EncodedCommands::default()).collect();
        let (full, under_way) = (Vec::new(), VecDeque::new());
        Self {
            ingest,
            topic,
            trace,
            groups,
            full,
            under_way,
            accepted: 0,
            last: None,
            position: Position::default(),
        }
    }

    /// Adds a command to the group of its partition.
    pub fn add(&mut self, partition: Partition, command: &impl Payload) {
        let group = &mut self.groups[usize::from(partition.0)];
        let was_full = Self::is_full(self.ingest, group);
        group.push(command);
        if !was_full && Self::is_full(self.ingest, group) {
            self.full.push(partition);
        }
    }

    fn is_full(ingest: &Ingest, group: &EncodedCommands) -> bool {
        let settings = &ingest.settings;
        group.len() >= settings.stream_lines_max || group.bytes_len() >= settings.stream_bytes_max
    }

    /// Submits the groups that are large enough.
    pub async fn send_full(&mut self) -> Result<(), Refusal> {
        while let Some(partition) = self.full.pop() {
            self.send(partition).await?;
        }
        Ok(())
    }

    /// Submits all groups.
    pub async fn send_all(&mut self) -> Result<(), Refusal> {
        self.full.clear();
        for partition in 0..self.ingest.partitions(self.topic) {
            self.send(Partition(partition)).await?;
        }
        Ok(())
    }

    async fn send(&mut self, partition: Partition) -> Result<(), Refusal> {
        let group = std::mem::take(&mut self.groups[usize::from(partition.0)]);
        if group.is_empty() {
            return Ok(());
        }
        self.ingest.check_running()?;
        if self.under_way.len() >= self.ingest.settings.stream_appends_max.max(1) {
            self.settle_one().await?;
        }
        let topic_partition = TopicPartition { topic: self.topic, partition };
        let answer = self.ingest.appender(topic_partition).submit(group, Some(self.trace.clone())).await?;
        self.under_way.push_back(answer);
        Ok(())
    }

    async fn settle_one(&mut self) -> Result<(), Refusal> {
        let Some(answer) = self.under_way.pop_front() else { return Ok(()) };
        let appended = answer.await.unwrap_or(Err(Refusal::Unavailable))?;
        self.accepted += appended.count as u64;
        self.position.reach(appended.topic_partition, appended.last());
        let later = self.last.as_ref().is_none_or(|last| last.receipt < appended.receipt);
        if later {
            self.last = Some(appended);
        }
        Ok(())
    }

    /// Waits until everything that was submitted is durable. After a refusal it continues, so that all accepted lines
    /// are counted.
    pub async fn settle(&mut self) -> Result<(), Refusal> {
        let mut result = Ok(());
        while !self.under_way.is_empty() {
            result = result.and(self.settle_one().await);
        }
        if let Some(last) = self.last.clone() {
            // The log becomes durable in order, so the last receipt settles all earlier ones.
            if let Err(refusal) = self.ingest.durable(last).await {
                self.accepted = 0;
                return Err(refusal);
            }
        }
        result
    }

    /// The number of lines that were accepted.
    pub fn accepted(&self) -> u64 {
        self.accepted
    }

    /// The position of the accepted lines: the offset of the last one in each partition.
    pub fn position(&self) -> &Position {
        &self.position
    }
}
