//! A full disk: appends are rejected with the reason, nothing accepted is lost, and the log recovers by itself.

use std::sync::{Arc, atomic::Ordering::SeqCst};

use bytes::Bytes;
use orderflow_schemas::Offset;
use orderflow_topics::{
    AppendError, AppendRejection, EmbeddedLog, Topics, Visibility,
    embedded::{LogSettings, Retention},
};

use crate::support::*;

/// Appends until the log reports that it is full. Returns the accepted records and the reason.
async fn fill_up(log: &EmbeddedLog) -> (Vec<Bytes>, String) {
    let mut accepted = Vec::new();
    loop {
        let record = Bytes::from(vec![u8::try_from(accepted.len() % 250).unwrap(); 500]);
        match try_append(log, FIRST, vec![record.clone()]).await {
            Ok(_) => accepted.push(record),
            Err(AppendError::Rejected(AppendRejection::Full(why))) => {
                let end = log.bounds(FIRST, Visibility::Accepted).await.unwrap().end;
                log.wait_beyond(FIRST, Offset(end.0 - 1), Visibility::Durable).await.unwrap();
                return (accepted, why.to_string());
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_log_at_its_limit_is_full_until_retention_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { bytes: Some(8192), age_s: None };
    let log = open(dir.path(), LogSettings { bytes_max: Some(4 * 4096), retention, ..small() }).await;
    log.retain_from("a sink", FIRST, Offset(0));
    let (accepted, why) = fill_up(&log).await;
    assert!(why.contains("16384"), "{why}");
    assert_eq!(read_all(&log, FIRST).await.len(), accepted.len(), "all that was accepted is there");
    assert_eq!(log.retain(0).unwrap().segments, 0, "the sink needs everything");
    assert!(matches!(
        try_append(&log, FIRST, records([1000])).await,
        Err(AppendError::Rejected(AppendRejection::Full(_)))
    ));
    log.retain_from("a sink", FIRST, Offset(accepted.len() as u64));
    assert_eq!(log.retain(0).unwrap().segments, 2);
    append(&log, FIRST, records([1000])).await;
}

#[tokio::test]
async fn raising_the_limit_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), LogSettings { bytes_max: Some(2 * 4096), ..small() }).await;
    let (mut accepted, _) = fill_up(&log).await;
    drop(log);
    let log = open(dir.path(), LogSettings { bytes_max: Some(4 * 4096), ..small() }).await;
    accepted.extend(fill_up(&log).await.0);
    assert_eq!(read_all(&log, FIRST).await.len(), accepted.len());
    assert_eq!(log.size_bytes(), 4 * 4096);
}

#[tokio::test]
async fn a_full_disk_rejects_appends_and_loses_none_that_was_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let disk = FailingDisk::default();
    let (log, _) = EmbeddedLog::open_on(Arc::new(disk.clone()), dir.path(), small()).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    let mut accepted = Vec::new();
    for _ in 0..3 {
        disk.no_room.store(true, SeqCst);
        let (more, why) = fill_up(&log).await;
        assert!(!why.is_empty());
        accepted.extend(more);
        let small = vec![Bytes::from_static(b"fits")];
        if try_append(&log, FIRST, small.clone()).await.is_ok() {
            accepted.extend(small);
        }
        disk.no_room.store(false, SeqCst);
        // A rejected append is one that failed after it was asked for; the next one asks again.
        let record = records([600]);
        append(&log, FIRST, record.clone()).await;
        accepted.extend(record);
    }
    drop(log);
    let log = open(dir.path(), small()).await;
    assert_eq!(read_all(&log, FIRST).await, accepted);
}
