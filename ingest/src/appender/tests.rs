use std::sync::Arc;

use orderflow_schemas::{
    OrderCommand, OrderId, RawRecord, Status, Topic, TopicPartition, commands::ChangeStatus,
};
use orderflow_topics::{
    AppendRejection,
    memory::{Fault, MemoryTopics},
};
use orderflow_world::TokioWorld;
use uuid::Uuid;

use super::*;
use crate::settings::IngestSettings;

const AT: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);

struct Stage {
    topics: Arc<MemoryTopics>,
    appender: Appender,
    stopping: CancellationToken,
    tasks: TaskTracker,
}

impl Stage {
    fn new(settings: &IngestSettings) -> Self {
        let (topics, tasks, stopping) =
            (MemoryTopics::with_partitions(1), TaskTracker::new(), CancellationToken::new());
        let log: Arc<dyn Topics> = topics.clone();
        let world: Arc<dyn World> = TokioWorld::new();
        let feed = orderflow_feed::Feed::new(&log, orderflow_feed::FeedSettings::default());
        let lifecycle = include_str!("../../../pipelines/order-tracking.toml");
        let lifecycle = Arc::new(orderflow_schemas::Lifecycle::parse(lifecycle).unwrap());
        let decisions = Decisions::start(&world, &log, &feed, &lifecycle, settings, &stopping, &tasks);
        let appender = Appender::start(AT, &world, log, decisions, settings, stopping.clone(), &tasks);
        Self { topics, appender, stopping, tasks }
    }

    async fn append(&self, count: usize) -> SubmissionResult {
        self.appender.try_submit(commands(count), None, None)?.await.unwrap()
    }

    /// The source and number of each record in the log.
    fn numbers(&self) -> Vec<(String, u64)> {
        let records = self.topics.records(AT);
        let header = |record: &bytes::Bytes| RawRecord::decode(record).unwrap().header;
        records.iter().map(header).map(|header| (header.source.as_str().to_owned(), header.number)).collect()
    }
}

fn commands(count: usize) -> EncodedCommands {
    let mut commands = EncodedCommands::default();
    for _ in 0..count {
        commands.push(&OrderCommand::ChangeStatus(ChangeStatus {
            order_id: OrderId::from_uuid(Uuid::nil()),
            status: Status::new("ACCEPTED").unwrap(),
            if_match: None,
            reason: None,
            idempotency: None,
            by: orderflow_schemas::Actor::SYSTEM,
        }));
    }
    commands
}

fn quick() -> IngestSettings {
    IngestSettings { append_pause_ms_max: 1, append_retry_ms_max: 60_000, ..IngestSettings::default() }
}

#[tokio::test]
async fn numbers_count_on_across_refused_appends() {
    let stage = Stage::new(&quick());
    assert_eq!(stage.append(2).await.unwrap().number, 1);
    stage.topics.fail([Fault::Rejected(AppendRejection::Full("disk".into()))]);
    assert_eq!(stage.append(3).await, Err(Refusal::Full));
    let placed = stage.append(1).await.unwrap();
    assert_eq!((placed.number, placed.first.0), (3, 2));
    let numbers: Vec<_> = stage.numbers().into_iter().map(|(_, number)| number).collect();
    assert_eq!(numbers, [1, 2, 3]);
}

#[tokio::test]
async fn an_append_of_unknown_outcome_is_repeated_with_the_same_bytes() {
    let stage = Stage::new(&quick());
    stage.topics.fail([
        Fault::UnknownButWritten,
        Fault::Rejected(AppendRejection::Full("disk".into())),
        Fault::UnknownAndLost,
    ]);
    let placed = stage.append(2).await.unwrap();
    // The log contains it twice, and processors answer the first copy.
    assert_eq!((placed.number, placed.first.0, stage.numbers().len()), (1, 0, 4));
    let attempts = stage.topics.attempts();
    assert_eq!(attempts.len(), 4);
    assert!(attempts.iter().all(|attempt| attempt.records == attempts[0].records));
    assert_eq!(stage.append(1).await.unwrap().number, 3);
}

#[tokio::test]
async fn a_source_whose_last_append_was_given_up_is_not_used_again() {
    let stage = Stage::new(&IngestSettings { append_retry_ms_max: 0, ..quick() });
    let before = stage.append(1).await.unwrap();
    stage.topics.fail([Fault::UnknownAndLost]);
    assert_eq!(stage.append(2).await, Err(Refusal::Unavailable));
    let after = stage.append(1).await.unwrap();
    assert_ne!(before.source, after.source);
    assert_eq!(after.number, 1);
}

#[tokio::test]
async fn submissions_too_large_together_are_appended_one_by_one() {
    let stage = Stage::new(&quick());
    // Both are submitted before the task runs, so it gathers them into one append.
    let first = stage.appender.try_submit(commands(1), None, None).unwrap();
    let second = stage.appender.try_submit(commands(1), None, None).unwrap();
    let too_large = Fault::Rejected(AppendRejection::TooLarge { limit: 10 });
    stage.topics.fail([too_large.clone(), too_large]);
    assert_eq!(first.await.unwrap(), Err(Refusal::TooLarge { limit: 10 }));
    assert_eq!(second.await.unwrap().unwrap().number, 1);
}

#[tokio::test]
async fn a_full_queue_refuses_and_stopping_appends_what_was_taken() {
    let stage = Stage::new(&IngestSettings { queue_requests_max: 1, ..quick() });
    let taken = stage.appender.try_submit(commands(1), None, None).unwrap();
    assert_eq!(stage.appender.try_submit(commands(1), None, None).unwrap_err(), Refusal::Overloaded);
    stage.stopping.cancel();
    stage.tasks.close();
    stage.tasks.wait().await;
    assert_eq!(taken.await.unwrap().unwrap().number, 1);
    assert_eq!(stage.appender.try_submit(commands(1), None, None).unwrap_err(), Refusal::ShuttingDown);
}
