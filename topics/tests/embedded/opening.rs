//! Which processes may open a directory, and what a read-only opening leaves unchanged.

use std::sync::Arc;

use bytes::Bytes;
use orderflow_schemas::{Offset, Topic};
use orderflow_topics::{
    AppendError, AppendRejection, EmbeddedLog, LogError, Topics, Visibility,
    embedded::{LogSettings, OpenError},
};
use orderflow_world::disk::RealDisk;

use crate::support::*;

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).await;
    for second in [EmbeddedLog::open(dir.path(), small()), EmbeddedLog::open_read_only(dir.path(), small())] {
        let error = second.unwrap_err();
        let OpenError::Locked { owner, .. } = &error else { panic!("{error}") };
        assert_eq!(owner, &std::process::id().to_string());
        assert!(error.to_string().contains(dir.path().to_str().unwrap()), "{error}");
    }
    log.close();
    EmbeddedLog::open(dir.path(), small()).unwrap();
}

#[tokio::test]
async fn reading_a_stopped_log_changes_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir.path(), small()).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    for _ in 0..30 {
        run_steps(&mut steps);
        try_append(&log, FIRST, records([100])).await.unwrap();
    }
    run_steps(&mut steps);
    drop((log, steps));
    let mut before = files(dir.path());
    let (_, segment) = before.iter_mut().rfind(|(_, bytes)| bytes.starts_with(b"OFL1")).unwrap();
    let last = segment.iter().rposition(|byte| *byte != 0).unwrap();
    segment[last] ^= 1;
    before.retain(|name, _| !name.ends_with(".idx"));
    let dir = directory_of(&before);

    let (log, report) = EmbeddedLog::open_read_only(dir.path(), small()).unwrap();
    let (other, _) = EmbeddedLog::open_read_only(dir.path(), small()).unwrap();
    assert!(report.cut.is_some());
    assert_eq!(read_all(&log, FIRST).await.len(), 29);
    assert_eq!(read_all(&other, FIRST).await.len(), 29);
    let rejected = try_append(&log, FIRST, records([1])).await;
    assert!(matches!(rejected, Err(AppendError::Rejected(AppendRejection::Closed))));
    let end = log.bounds(FIRST, Visibility::Durable).await.unwrap().end;
    let waited = log.wait_beyond(FIRST, end, Visibility::Durable).await;
    assert!(matches!(waited, Err(LogError::Unavailable(_))), "nothing will ever come");
    assert!(EmbeddedLog::open(dir.path(), small()).is_err(), "nobody may write while somebody reads");
    drop((log, other));
    assert_eq!(files(dir.path()), before);
}

#[tokio::test]
async fn reading_where_there_is_no_log_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    assert!(EmbeddedLog::open_read_only(dir.path(), small()).is_err());
    assert!(EmbeddedLog::open_read_only(dir.path().join("missing"), small()).is_err());
    assert!(files(dir.path()).is_empty());
}

#[tokio::test]
async fn a_closed_log_answers_nothing_and_has_lost_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).await;
    let all = records([10, 20, 30]);
    let appended = try_append(&log, FIRST, all.clone()).await.unwrap();
    log.close();
    log.durable(appended.receipt).await.unwrap();
    let rejected = try_append(&log, FIRST, records([1])).await;
    assert!(matches!(rejected, Err(AppendError::Rejected(AppendRejection::Closed))));
    let read = log.read(FIRST, Offset(0), 100, Visibility::Durable).await;
    assert!(matches!(read, Err(LogError::Unavailable(_))));
    let log = open(dir.path(), small()).await;
    assert_eq!(read_all(&log, FIRST).await, all);
}

#[tokio::test]
async fn the_list_of_topics_survives_and_settings_are_checked() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path(), small()).await);
    let log = open(dir.path(), small()).await;
    assert_eq!(log.partitions(TOPIC), 2);
    assert!(log.create(Topic::DeadLetters, 5000).await.is_err(), "too many for 4 KiB");
    drop(log);
    std::fs::write(dir.path().join("topics.json"), "{\"format\": 1, \"topics\": {\"no.such\": 1}}").unwrap();
    assert!(matches!(EmbeddedLog::open(dir.path(), small()), Err(OpenError::Damaged { .. })));
    for settings in [
        LogSettings { segment_bytes: 100, ..small() },
        LogSettings { bytes_max: Some(4096), ..small() },
        LogSettings { pending_bytes_max: 0, ..small() },
    ] {
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(matches!(EmbeddedLog::open(elsewhere.path(), settings), Err(OpenError::Settings(_))));
    }
}

#[test]
fn unknown_settings_are_errors() {
    let settings: LogSettings =
        serde_json::from_str("{\"segment_bytes\": 8192, \"retention\": {\"age_s\": 5}}").unwrap();
    assert_eq!((settings.segment_bytes, settings.retention.age_s), (8192, Some(5)));
    assert!(serde_json::from_str::<LogSettings>("{\"segment_size\": 8192}").is_err());
}

#[tokio::test]
async fn appends_over_the_limit_are_too_large() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).await;
    let rejected = try_append(&log, FIRST, vec![Bytes::from(vec![1; 3000])]).await;
    assert!(matches!(rejected, Err(AppendError::Rejected(AppendRejection::TooLarge { limit: 2048 }))));
    for _ in 0..10 {
        append(&log, FIRST, vec![Bytes::from(vec![1; 2048 - 24])]).await;
    }
}
