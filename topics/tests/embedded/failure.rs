//! A failing disk and a slow one: the log never reports anything false, and everything is bounded.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use orderflow_schemas::Offset;
use orderflow_topics::{
    AppendError, AppendRejection, EmbeddedLog, LogError, Topics, Visibility,
    embedded::{LogSettings, StepOutcome},
};
use orderflow_world::disk::RealDisk;

use crate::support::*;

#[tokio::test]
async fn a_failed_sync_ends_the_log_for_good() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FailingDisk::default();
    let (log, _) = EmbeddedLog::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    let all = fill(&log, FIRST, 3, 100).await;
    disk.sync_fails.store(true, SeqCst);
    let appended = try_append(&log, FIRST, records([100])).await.unwrap();
    assert!(matches!(log.durable(appended.receipt).await, Err(LogError::Unavailable(_))));
    assert!(log.failed().await.contains("the disk is broken"));
    disk.sync_fails.store(false, SeqCst);
    let rejected = try_append(&log, FIRST, records([100])).await;
    assert!(
        matches!(rejected, Err(AppendError::Rejected(AppendRejection::Closed))),
        "a later sync proves nothing"
    );
    let waited = log.wait_beyond(FIRST, Offset(3), Visibility::Durable).await;
    assert!(matches!(waited, Err(LogError::Unavailable(_))));
    let read = log.read(FIRST, Offset(0), 1000, Visibility::Accepted).await;
    assert!(matches!(read, Err(LogError::Unavailable(_))), "what was accepted may be lost");
    assert_eq!(read_all(&log, FIRST).await, all, "what was durable is still served");
    drop(log);
    let log = open(dir.path(), small()).await;
    assert_eq!(read_all(&log, FIRST).await[..3], all);
}

#[tokio::test]
async fn nothing_is_durable_before_its_sync() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir.path(), small()).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    run_steps(&mut steps);
    let appended = try_append(&log, FIRST, records([10, 20])).await.unwrap();
    assert_eq!(poll_once(log.durable(appended.receipt)).map(Result::unwrap), None);
    assert_eq!(poll_once(log.wait_beyond(FIRST, Offset(1), Visibility::Durable)).map(Result::unwrap), None);
    let chunk = log.read(FIRST, Offset(0), 1000, Visibility::Durable).await.unwrap();
    assert_eq!((chunk.records.len(), chunk.end), (0, Offset(0)));
    let chunk = log.read(FIRST, Offset(0), 1000, Visibility::Accepted).await.unwrap();
    assert_eq!((chunk.records.len(), chunk.end), (2, Offset(2)));
    assert_eq!(steps.writer.step(1), StepOutcome::Work);
    log.durable(appended.receipt).await.unwrap();
    assert_eq!(read_all(&log, FIRST).await.len(), 2);
}

#[tokio::test]
async fn an_append_waits_while_too_much_is_pending_and_can_be_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let settings = LogSettings { pending_bytes_max: 1000, ..small() };
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir.path(), settings).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    run_steps(&mut steps);
    try_append(&log, FIRST, records([900])).await.unwrap();
    assert!(poll_once(try_append(&log, FIRST, records([500]))).is_none(), "it waits, and is dropped");
    let mut waiting = Box::pin(try_append(&log, FIRST, records([600])));
    assert!(poll_once(waiting.as_mut()).is_none());
    assert_eq!(steps.writer.step(1), StepOutcome::Work);
    waiting.await.unwrap();
    assert_eq!(steps.writer.step(1), StepOutcome::Work);
    let sizes: Vec<_> = read_all(&log, FIRST).await.iter().map(bytes::Bytes::len).collect();
    assert_eq!(sizes, [900, 600]);
}

#[tokio::test]
async fn appends_that_wait_together_are_settled_by_one_write() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir.path(), small()).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    run_steps(&mut steps);
    let mut receipts = Vec::new();
    for at in [FIRST, SECOND, FIRST, SECOND] {
        receipts.push(try_append(&log, at, records([100])).await.unwrap().receipt);
    }
    assert_eq!(steps.writer.step(1), StepOutcome::Work);
    for receipt in receipts {
        log.durable(receipt).await.unwrap();
    }
    assert_eq!(steps.writer.step(1), StepOutcome::Nothing);
}
