//! A log with a size limit reserves space for what follows from the commands that it has accepted.

use bytes::Bytes;
use orderflow_schemas::{Offset, Topic, TopicPartition};
use orderflow_topics::{
    AppendError, AppendRejection, Batch, EmbeddedLog, Topics,
    embedded::{LogSettings, Retention},
};

use crate::support::*;

const COMMANDS: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);
const EVENTS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);

fn batch(topic_partition: TopicPartition, bytes: usize) -> Vec<Batch> {
    vec![Batch { topic_partition, records: vec![Bytes::from(vec![1; bytes])] }]
}

/// Appends new commands of 100 bytes until one is refused; returns how many were accepted.
async fn fill_up(log: &EmbeddedLog) -> u64 {
    for taken in 0.. {
        match log.append_new(batch(COMMANDS, 100)).await {
            Ok(_) => assert!(taken < 10_000, "it is never full"),
            Err(AppendError::Rejected(AppendRejection::Full(why))) => {
                assert!(why.contains("are kept for the decisions"), "{why}");
                return taken;
            }
            Err(error) => panic!("{error}"),
        }
    }
    unreachable!("there is always another number")
}

async fn limited(dir: &std::path::Path) -> EmbeddedLog {
    let retention = Retention { bytes: Some(8192), age_s: None };
    let log = open(dir, LogSettings { bytes_max: Some(8 * 4096), retention, ..small() }).await;
    log.create(Topic::OrdersEvents, 1).await.unwrap();
    log
}

#[tokio::test]
async fn new_commands_are_refused_while_there_is_room_for_what_follows_from_those_taken() {
    let dir = tempfile::tempdir().unwrap();
    let log = limited(dir.path()).await;
    let taken = fill_up(&log).await;
    // About ten times the bytes of the commands can still be appended, although new commands are refused.
    for _ in 0..taken {
        log.append(batch(EVENTS, 1_000)).await.unwrap();
    }
    assert!(log.append_new(batch(COMMANDS, 100)).await.is_err());
}

#[tokio::test]
async fn what_is_decided_gives_its_room_back_and_retention_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let log = limited(dir.path()).await;
    let (mut taken, mut rounds) = (0, 0);
    loop {
        let more = fill_up(&log).await;
        if more == 0 {
            break;
        }
        (taken, rounds) = (taken + more, rounds + 1);
        log.append(batch(EVENTS, 500)).await.unwrap();
        log.decided(COMMANDS, Offset(taken));
        log.decided(COMMANDS, Offset(taken));
    }
    assert!(rounds > 1, "{rounds}");
    for topic_partition in [COMMANDS, EVENTS] {
        log.retain_from("all", topic_partition, Offset(10_000));
    }
    let last = log.append(batch(EVENTS, 500)).await.unwrap();
    log.durable(last.receipt).await.unwrap();
    assert!(log.retain(0).unwrap().segments > 0);
    assert!(fill_up(&log).await > 0, "there is room again");
}
