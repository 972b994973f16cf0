//! Appending commands: for each partition, one task gathers the waiting submissions, numbers their commands and appends
//! them.
//!
//! Order: the submissions of a partition are appended in the order in which they were taken. Numbers have no gap, also
//! across refused appends. An append whose outcome is unknown is repeated with the same bytes; when it is given up, the
//! source's name is given up with it. The task does not wait for durability: it continues at once, and the submitter
//! waits.

mod submission;
mod task;

use std::sync::Arc;

use orderflow_schemas::{TopicPartition, envelope::TraceParent};
use orderflow_topics::Topics;
use orderflow_world::World;
use tokio::sync::{Semaphore, TryAcquireError, mpsc, oneshot};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use submission::{AppendedCommands, EncodedCommands, Refusal, SubmissionResult};

use crate::{
    appender::{submission::Submission, task::AppendTask},
    decisions::{DecisionSender, Decisions},
    settings::IngestSettings,
};

/// The queue of one partition, which takes commands for its appending task.
pub struct Appender {
    sender: mpsc::Sender<Submission>,
    bytes: Arc<Semaphore>,
    bytes_max: u32,
}

impl Appender {
    /// Starts the task of one partition. Once `stopping` is cancelled, the task appends what was submitted and ends.
    pub fn start(
        topic_partition: TopicPartition,
        world: &Arc<dyn World>,
        topics: Arc<dyn Topics>,
        decisions: Arc<Decisions>,
        settings: &IngestSettings,
        stopping: CancellationToken,
        tasks: &TaskTracker,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(settings.queue_requests_max.max(1));
        let bytes_max =
            u32::try_from(settings.queue_bytes_max).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4);
        let task =
            AppendTask::new(topic_partition, world.clone(), topics, decisions, receiver, settings, stopping);
        world.spawn(Box::pin(tasks.track_future(task.run())));
        Self { sender, bytes: Arc::new(Semaphore::new(bytes_max as usize)), bytes_max }
    }

    /// Submits commands, or refuses at once if the queue is full. The receiver gets the result once the log has
    /// accepted or refused the commands.
    pub fn try_submit(
        &self,
        commands: EncodedCommands,
        traceparent: Option<TraceParent>,
        waiter: Option<DecisionSender>,
    ) -> Result<oneshot::Receiver<SubmissionResult>, Refusal> {
        let room = match Arc::clone(&self.bytes).try_acquire_many_owned(self.bytes_of(&commands)) {
            Ok(room) => room,
            Err(TryAcquireError::NoPermits) => return Err(Refusal::Overloaded),
            Err(TryAcquireError::Closed) => return Err(Refusal::ShuttingDown),
        };
        let (answer, receiver) = oneshot::channel();
        let submission = Submission { commands, traceparent, waiter, answer, _room: room };
        match self.sender.try_send(submission) {
            Ok(()) => Ok(receiver),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Refusal::Overloaded),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Refusal::ShuttingDown),
        }
    }

    /// Submits commands, and waits for room in the queue if need be. Dropping the future before it is ready submits
    /// nothing.
    pub async fn submit(
        &self,
        commands: EncodedCommands,
        traceparent: Option<TraceParent>,
    ) -> Result<oneshot::Receiver<SubmissionResult>, Refusal> {
        let room = Arc::clone(&self.bytes).acquire_many_owned(self.bytes_of(&commands)).await;
        let room = room.map_err(|_| Refusal::ShuttingDown)?;
        let (answer, receiver) = oneshot::channel();
        let submission = Submission { commands, traceparent, waiter: None, answer, _room: room };
        self.sender.send(submission).await.map_err(|_| Refusal::ShuttingDown)?;
        Ok(receiver)
    }

    /// The bytes of the queue that the commands take. Commands that are larger than the whole queue take all of it.
    fn bytes_of(&self, commands: &EncodedCommands) -> u32 {
        u32::try_from(commands.bytes_len()).unwrap_or(u32::MAX).min(self.bytes_max)
    }
}

#[cfg(test)]
mod tests;
