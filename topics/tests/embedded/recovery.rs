//! Crashes and damage: what is cut, what is an error, and that nothing durable is ever lost silently.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use orderflow_schemas::Offset;
use orderflow_topics::{
    EmbeddedLog, LogError, Topics, Visibility,
    embedded::{OpenError, OpenReport},
};
use orderflow_world::disk::RealDisk;

use crate::support::*;

const FIRST_SEGMENT: &str = "00000000000000000000.log";
const FIRST_INDEX: &str = "00000000000000000000.idx";
const SECOND_SEGMENT: &str = "00000000000000004096.log";

/// The files of a log that crashed after `count` durable appends of one record of 100 bytes each.
async fn crashed_after(count: usize) -> (BTreeMap<String, Vec<u8>>, Vec<Bytes>) {
    let dir = tempfile::tempdir().unwrap();
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir.path(), small()).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    let all = records(std::iter::repeat_n(100, count));
    for record in &all {
        run_steps(&mut steps);
        try_append(&log, FIRST, vec![record.clone()]).await.unwrap();
    }
    run_steps(&mut steps);
    (files(dir.path()), all)
}

fn reopen(
    files: &BTreeMap<String, Vec<u8>>,
) -> (tempfile::TempDir, Result<(EmbeddedLog, OpenReport), OpenError>) {
    let dir = directory_of(files);
    let opened = EmbeddedLog::open(dir.path(), small());
    (dir, opened)
}

fn is_damaged(opened: &Result<(EmbeddedLog, OpenReport), OpenError>) -> bool {
    matches!(opened, Err(OpenError::Damaged { .. }))
}

/// The positions of the frames in a segment, found by their magic number.
fn frames(segment: &[u8]) -> Vec<usize> {
    (0..segment.len())
        .step_by(8)
        .filter(|topic_partition| segment[*topic_partition..].starts_with(b"OFL1"))
        .collect()
}

#[tokio::test]
async fn torn_tail_is_cut_at_the_last_whole_frame() {
    let (files, all) = crashed_after(4).await;
    let starts = frames(&files[FIRST_SEGMENT]);
    assert_eq!(starts.len(), 5, "heads and four appends");
    let frame_bytes = 40 + 20 + 104;
    for filler in [0, 0xff] {
        for torn_at in starts[4]..starts[4] + frame_bytes {
            let mut torn = files.clone();
            torn.get_mut(FIRST_SEGMENT).unwrap()[torn_at..starts[4] + frame_bytes].fill(filler);
            let (dir, opened) = reopen(&torn);
            let (log, report) = opened.unwrap();
            assert_eq!(read_all(&log, FIRST).await, all[..3], "torn at {torn_at}");
            assert_eq!(report.cut.is_some(), filler != 0 || torn_at > starts[4], "torn at {torn_at}");
            if torn_at % 16 != 0 {
                continue;
            }
            append(&log, FIRST, vec![Bytes::from_static(b"new")]).await;
            drop(log);
            let (log, report) = EmbeddedLog::open(dir.path(), small()).unwrap();
            assert_eq!(report.cut, None, "a tail is cut once");
            assert_eq!(read_all(&log, FIRST).await.last().unwrap(), "new");
        }
    }
}

#[tokio::test]
async fn a_log_truncated_anywhere_in_its_last_group_keeps_a_prefix() {
    // Three appends in one group: one write after the other, none of them vouched for.
    let dir = tempfile::tempdir().unwrap();
    let settings = orderflow_topics::embedded::LogSettings { frame_bytes_max: 1, ..small() };
    let (log, mut steps, _) = EmbeddedLog::open_stepped(Arc::new(RealDisk), dir.path(), settings).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    run_steps(&mut steps);
    let all = records([50, 60, 70]);
    for record in &all {
        try_append(&log, FIRST, vec![record.clone()]).await.unwrap();
    }
    run_steps(&mut steps);
    let files = files(dir.path());
    let starts = frames(&files[FIRST_SEGMENT]);
    assert_eq!(starts.len(), 4);
    for (n, start) in starts.iter().enumerate().skip(1) {
        let mut torn = files.clone();
        torn.get_mut(FIRST_SEGMENT).unwrap()[*start + 50] ^= 1;
        let (_dir, opened) = reopen(&torn);
        let (log, report) = opened.unwrap();
        assert_eq!(read_all(&log, FIRST).await, all[..n - 1]);
        let cut = report.cut.unwrap();
        assert_eq!(cut.position, *start as u64);
    }
}

#[tokio::test]
async fn damage_in_front_of_durable_frames_is_an_error_and_changes_nothing() {
    let (files, _) = crashed_after(4).await;
    let starts = frames(&files[FIRST_SEGMENT]);
    for topic_partition in starts[0]..starts[0] + 40 {
        check_damage(&files, topic_partition);
    }
    for topic_partition in starts[1]..starts[1] + 164 {
        check_damage(&files, topic_partition);
    }
}

fn check_damage(files: &BTreeMap<String, Vec<u8>>, topic_partition: usize) {
    let mut damaged = files.clone();
    damaged.get_mut(FIRST_SEGMENT).unwrap()[topic_partition] ^= 0x10;
    let (dir, opened) = reopen(&damaged);
    assert!(is_damaged(&opened), "byte {topic_partition}: {opened:?}");
    assert_eq!(crate::support::files(dir.path())[FIRST_SEGMENT], damaged[FIRST_SEGMENT]);
}

#[tokio::test]
async fn a_closed_log_vouches_for_its_last_append() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).await;
    fill(&log, FIRST, 3, 100).await;
    log.close();
    let mut files = files(dir.path());
    let starts = frames(&files[FIRST_SEGMENT]);
    files.get_mut(FIRST_SEGMENT).unwrap()[starts[starts.len() - 2] + 70] ^= 1;
    let (_dir, opened) = reopen(&files);
    assert!(is_damaged(&opened), "{opened:?}");
}

#[tokio::test]
async fn damage_in_a_sealed_segment_is_never_served_nor_cut() {
    let (mut files, all) = crashed_after(60).await;
    let starts = frames(&files[FIRST_SEGMENT]);
    // Two frames: the reader must get the records before the damage and then an error, not a gap.
    files.get_mut(FIRST_SEGMENT).unwrap()[starts[11] + 80] ^= 1;
    let before = files[FIRST_SEGMENT].clone();
    let (dir, opened) = reopen(&files);
    let (log, _) = opened.unwrap();
    let chunk = log.read(FIRST, Offset(0), 1 << 20, Visibility::Durable).await.unwrap();
    assert_eq!(chunk.records, all[..10]);
    let error = log.read(FIRST, Offset(10), 1 << 20, Visibility::Durable).await.unwrap_err();
    let LogError::Damaged(what) = error else { panic!("{error}") };
    assert!(what.contains(FIRST_SEGMENT) && what.contains(&format!("byte {}", starts[11])), "{what}");
    let beyond = log.read(FIRST, Offset(30), 1 << 20, Visibility::Durable).await.unwrap();
    assert_eq!(beyond.records, all[30..]);
    assert_eq!(crate::support::files(dir.path())[FIRST_SEGMENT], before);
    drop(log);
    files.remove(FIRST_INDEX);
    let (_dir, opened) = reopen(&files);
    assert!(is_damaged(&opened), "a scan finds the damage too: {opened:?}");
}

#[tokio::test]
async fn rollover_keeps_all_records() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), small()).await;
    let first = fill(&log, FIRST, 100, 300).await;
    let second = fill(&log, SECOND, 50, 500).await;
    assert_eq!(read_all(&log, FIRST).await, first);
    drop(log);
    let (log, report) = EmbeddedLog::open(dir.path(), small()).unwrap();
    assert!(report.segments > 10, "{report:?}");
    assert_eq!((report.cut, report.indexes_rebuilt), (None, 0));
    assert_eq!(report.partitions[&SECOND], Offset(0)..Offset(50));
    assert_eq!(read_all(&log, FIRST).await, first);
    assert_eq!(read_all(&log, SECOND).await, second);
}

#[tokio::test]
async fn missing_and_damaged_indexes_are_rebuilt() {
    let (files, all) = crashed_after(60).await;
    assert!(files.contains_key(FIRST_INDEX));
    let missing = |files: &mut BTreeMap<String, Vec<u8>>| drop(files.remove(FIRST_INDEX));
    let damaged = |files: &mut BTreeMap<String, Vec<u8>>| files.get_mut(FIRST_INDEX).unwrap()[40] ^= 1;
    let emptied = |files: &mut BTreeMap<String, Vec<u8>>| files.get_mut(FIRST_INDEX).unwrap().clear();
    for change in [&missing as &dyn Fn(&mut _), &damaged, &emptied] {
        let mut changed = files.clone();
        change(&mut changed);
        let (dir, opened) = reopen(&changed);
        let (log, report) = opened.unwrap();
        assert_eq!(report.indexes_rebuilt, 1);
        assert_eq!(read_all(&log, FIRST).await, all);
        drop(log);
        assert_eq!(crate::support::files(dir.path())[FIRST_INDEX], files[FIRST_INDEX]);
    }
}

#[tokio::test]
async fn a_crash_while_the_next_segment_is_made_or_begun_loses_nothing_durable() {
    let (files, all) = crashed_after(4).await;
    assert!(files[SECOND_SEGMENT].iter().all(|byte| *byte == 0), "the next segment is prepared");
    let mut torn_heads = vec![0; 4096];
    torn_heads[..8].copy_from_slice(b"OFL1torn");
    let variants = [None, Some(Vec::new()), Some(vec![0; 100]), Some(vec![0; 4096]), Some(torn_heads)];
    for next in variants {
        let mut crashed = files.clone();
        crashed.remove(SECOND_SEGMENT);
        crashed.extend(next.map(|bytes| (SECOND_SEGMENT.to_owned(), bytes)));
        let (dir, opened) = reopen(&crashed);
        let (log, _) = opened.unwrap();
        assert_eq!(read_all(&log, FIRST).await, all);
        let more = fill(&log, FIRST, 40, 200).await;
        drop(log);
        let (log, _) = EmbeddedLog::open(dir.path(), small()).unwrap();
        assert_eq!(read_all(&log, FIRST).await, [all.clone(), more].concat());
    }
}

#[tokio::test]
async fn a_crash_before_the_first_segment_is_allocated_leaves_an_empty_log() {
    for bytes in [0, 100] {
        let files = BTreeMap::from([(FIRST_SEGMENT.to_owned(), vec![0; bytes])]);
        let (dir, opened) = reopen(&files);
        opened.unwrap();
        let log = open(dir.path(), small()).await;
        let all = fill(&log, FIRST, 40, 200).await;
        assert_eq!(read_all(&log, FIRST).await, all);
    }
}

#[tokio::test]
async fn a_missing_segment_is_damage() {
    let (mut files, _) = crashed_after(60).await;
    assert!(files.remove(SECOND_SEGMENT).is_some());
    let (_dir, opened) = reopen(&files);
    assert!(is_damaged(&opened), "{opened:?}");
}

#[tokio::test]
async fn segments_of_different_sizes_follow_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let mut all = Vec::new();
    for segment_bytes in [4096, 16384, 4096, 8192] {
        let log =
            open(dir.path(), orderflow_topics::embedded::LogSettings { segment_bytes, ..small() }).await;
        all.extend(fill(&log, FIRST, 60, 300).await);
        assert_eq!(read_all(&log, FIRST).await, all);
    }
}

#[tokio::test]
async fn a_damaged_start_of_the_log_is_never_taken_for_an_empty_one() {
    let (files, _) = crashed_after(60).await;
    // The first segment alone, with the setting changed meanwhile: nothing may be allocated anew.
    let mut alone = files.clone();
    alone.retain(|name, _| [FIRST_SEGMENT, "topics.json"].contains(&name.as_str()));
    alone.get_mut(FIRST_SEGMENT).unwrap()[10] ^= 1;
    let dir = directory_of(&alone);
    let settings = orderflow_topics::embedded::LogSettings { segment_bytes: 8192, ..small() };
    assert!(is_damaged(&EmbeddedLog::open(dir.path(), settings)));
    assert_eq!(crate::support::files(dir.path())[FIRST_SEGMENT], alone[FIRST_SEGMENT]);
    // A later segment alone, as retention leaves one, but without its heads: offsets may not start over.
    let mut later = files.clone();
    later.retain(|name, _| [SECOND_SEGMENT, "topics.json"].contains(&name.as_str()));
    later.get_mut(SECOND_SEGMENT).unwrap().fill(0);
    let (_dir, opened) = reopen(&later);
    assert!(is_damaged(&opened), "{opened:?}");
}
