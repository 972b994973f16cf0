//! Retention: which segments are removed, which stay, and that offsets never start over.

use bytes::Bytes;
use orderflow_schemas::Offset;
use orderflow_topics::{
    EmbeddedLog, LogError, Topics, Visibility,
    embedded::{LogSettings, Retention},
};

use crate::support::*;

fn keeping(bytes: u64) -> LogSettings {
    LogSettings { retention: Retention { bytes: Some(bytes), age_s: None }, ..small() }
}

async fn start(log: &EmbeddedLog) -> u64 {
    log.bounds(FIRST, Visibility::Durable).await.unwrap().start.0
}

#[tokio::test]
async fn without_settings_nothing_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).await;
    fill(&log, FIRST, 50, 300).await;
    assert_eq!(log.retain(u64::MAX).unwrap().segments, 0);
}

#[tokio::test]
async fn the_oldest_segments_go_by_size_and_readers_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), keeping(3 * 4096)).await;
    let all = fill(&log, FIRST, 100, 300).await;
    let removed = log.retain(0).unwrap();
    assert!(removed.segments > 5, "{removed:?}");
    assert_eq!(log.size_bytes(), 3 * 4096);
    let from = start(&log).await;
    assert!(from > 0);
    let trimmed = log.read(FIRST, Offset(from - 1), 100, Visibility::Durable).await.unwrap_err();
    assert!(
        matches!(trimmed, LogError::Trimmed { topic_partition, start } if topic_partition == FIRST && start == Offset(from))
    );
    let kept = &all[usize::try_from(from).unwrap()..];
    assert_eq!(read_all(&log, FIRST).await, kept);
    drop(log);
    let log = open(dir.path(), keeping(3 * 4096)).await;
    assert_eq!(start(&log).await, from);
    assert_eq!(read_all(&log, FIRST).await, kept);
}

#[tokio::test]
async fn the_oldest_segments_go_by_age() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention { bytes: None, age_s: Some(60) };
    let log = open(dir.path(), LogSettings { retention, ..small() }).await;
    fill(&log, FIRST, 50, 300).await;
    let now_ms =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64;
    assert_eq!(log.retain(now_ms - 1000).unwrap().segments, 0);
    assert!(log.retain(now_ms + 120_000).unwrap().segments > 2);
    assert_eq!(log.size_bytes(), 4096, "the active segment stays");
}

#[tokio::test]
async fn held_records_stay() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), keeping(1)).await;
    fill(&log, FIRST, 100, 300).await;
    log.retain_from("slow", FIRST, Offset(20));
    log.retain_from("fast", FIRST, Offset(90));
    assert!(log.retain(0).unwrap().segments > 0);
    let from = start(&log).await;
    assert!(from > 0 && from <= 20, "{from}");
    log.retain_from("slow", FIRST, Offset(60));
    log.retain(0).unwrap();
    let from = start(&log).await;
    assert!(from > 20 && from <= 60, "{from}");
    log.retain_from("other", SECOND, Offset(0));
    log.retain_from("slow", FIRST, Offset(100));
    log.retain_from("fast", FIRST, Offset(100));
    log.retain(0).unwrap();
    assert!(start(&log).await > 60, "a partition without records holds nothing");
}

#[tokio::test]
async fn offsets_go_on_when_all_records_of_a_partition_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), keeping(1)).await;
    fill(&log, FIRST, 7, 300).await;
    fill(&log, SECOND, 60, 300).await;
    log.retain(0).unwrap();
    assert_eq!(log.bounds(FIRST, Visibility::Durable).await.unwrap(), Offset(7)..Offset(7));
    drop(log);
    let log = open(dir.path(), keeping(1)).await;
    assert_eq!(log.bounds(FIRST, Visibility::Durable).await.unwrap(), Offset(7)..Offset(7));
    let appended = append(&log, FIRST, vec![Bytes::from_static(b"next")]).await;
    assert_eq!(appended.offsets, [Offset(7)]);
    assert_eq!(read_all(&log, FIRST).await, ["next"]);
}
