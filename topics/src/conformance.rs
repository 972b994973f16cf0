//! What every engine must do: the contract of [`Topics`] as checks that panic where an engine breaks it.
//!
//! An engine's test calls [`run`] with a [`Rig`], which opens the engine over a named store. A name that was used
//! before must give the same records again; a new name must give an engine without topics. The checks wait for
//! conditions, never for time. They also hold for engines that others use at the same time, as long as the stores are
//! not shared.

use std::{future::Future, ops::Range, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use orderflow_schemas::{Offset, Topic, TopicPartition};

use crate::{AppendError, AppendRejection, Appended, Batch, LogError, Topics, Visibility};

const TOPIC: Topic = Topic::OrdersCommands;
const FIRST: TopicPartition = TopicPartition::new(TOPIC, 0);
const SECOND: TopicPartition = TopicPartition::new(TOPIC, 1);
const ANY_SIZE: usize = 1 << 20;

/// How the checks control an engine. Methods that an engine cannot support keep their default, and `run` leaves out the
/// checks that need them.
#[async_trait]
pub trait Rig: Send + Sync {
    /// Opens the engine over the store with this name; creates the store if the name is new.
    async fn open(&self, store: &'static str) -> Arc<dyn Topics>;

    /// Opens a second handle on a store that is already open, as another process would; `None` where a log has a single
    /// owner.
    async fn open_beside(&self, _store: &'static str) -> Option<Arc<dyn Topics>> {
        None
    }

    /// Makes the outcome of the next append unknown; `written` decides whether its records are written. False if the
    /// engine does not support this.
    fn lose_answer(&self, _store: &'static str, _written: bool) -> bool {
        false
    }

    /// Removes old records of the first partition, as retention does. False if the engine does not support this.
    async fn trim(&self, _store: &'static str) -> bool {
        false
    }

    /// Closes the engine of an open store. False if the engine does not support this.
    async fn close(&self, _store: &'static str) -> bool {
        false
    }
}

/// Runs all checks, one after the other, each over its own store. Panics at the first violation. Returns the names of
/// the checks that were left out because the rig does not support what they need.
pub async fn run(rig: &dyn Rig) -> Vec<&'static str> {
    topics_are_made_once(&*rig.open("create").await).await;
    offsets_count_from_zero_without_gaps(&*with_topic(rig, "offsets").await).await;
    records_come_back_byte_for_byte(&*with_topic(rig, "bytes").await).await;
    batches_of_one_append_appear_together(&*with_topic(rig, "batches").await).await;
    accepted_records_are_seen_at_once(&*with_topic(rig, "accepted").await).await;
    durability_is_a_prefix(&*with_topic(rig, "prefix").await).await;
    durable_readers_see_what_was_acknowledged(&*with_topic(rig, "durable").await).await;
    waiters_at_the_tail_are_woken(with_topic(rig, "waiters").await).await;
    reads_are_bounded_and_never_empty_before_the_end(&*with_topic(rig, "bounds").await).await;
    reading_at_and_beyond_the_end_is_empty(&*with_topic(rig, "end").await).await;
    concurrent_appenders_keep_their_order(with_topic(rig, "appenders").await).await;
    unknown_partitions_are_refused(&*with_topic(rig, "unknown").await).await;
    held_records_stay_readable(&*with_topic(rig, "held").await).await;
    a_dropped_append_leaves_its_whole_batch_or_nothing(&*with_topic(rig, "dropped").await).await;
    reopening_gives_the_same_records(rig).await;
    let mut left_out = Vec::new();
    for (name, ran) in [
        ("two_handles_show_one_log", two_handles_show_one_log(rig).await),
        ("an_unknown_outcome_leaves_whole_batches", an_unknown_outcome_leaves_whole_batches(rig).await),
        ("trimmed_records_are_named", trimmed_records_are_named(rig).await),
        ("a_closed_log_refuses_and_wakes", a_closed_log_refuses_and_wakes(rig).await),
    ] {
        if !ran {
            left_out.push(name);
        }
    }
    left_out
}

async fn with_topic(rig: &dyn Rig, store: &'static str) -> Arc<dyn Topics> {
    let engine = rig.open(store).await;
    engine.create(TOPIC, 2).await.expect("a new topic can be made");
    engine
}

/// `create` creates a topic, does nothing if it exists, and refuses another number of partitions.
pub async fn topics_are_made_once(engine: &dyn Topics) {
    assert_eq!(engine.partitions(TOPIC), 0, "a new store has no topics");
    engine.create(TOPIC, 3).await.expect("a topic can be made");
    engine.create(TOPIC, 3).await.expect("making it again changes nothing");
    assert!(engine.create(TOPIC, 4).await.is_err(), "the number of partitions cannot change");
    assert_eq!(engine.partitions(TOPIC), 3);
    assert_eq!(engine.partitions(Topic::DeadLetters), 0);
}

/// Offsets count 0, 1, 2 … in each partition.
pub async fn offsets_count_from_zero_without_gaps(engine: &dyn Topics) {
    for (topic_partition, first) in [(FIRST, 0), (FIRST, 3), (SECOND, 0), (FIRST, 6)] {
        let appended = append(engine, topic_partition, numbered(first..first + 3)).await;
        assert_eq!(appended.offsets, [Offset(first)]);
    }
    settle(engine).await;
    assert_eq!(bounds(engine, FIRST, Visibility::Durable).await, Offset(0)..Offset(9));
    assert_eq!(bounds(engine, SECOND, Visibility::Durable).await, Offset(0)..Offset(3));
    for from in 0..9 {
        let chunk = engine.read(FIRST, Offset(from), ANY_SIZE, Visibility::Durable).await;
        let chunk = chunk.expect("stored records can be read");
        assert_eq!((chunk.from, chunk.next(), chunk.end), (Offset(from), Offset(9), Offset(9)));
        assert_eq!(chunk.records, numbered(from..9));
    }
}

/// Records are opaque: a record may hold any bytes, one or many.
pub async fn records_come_back_byte_for_byte(engine: &dyn Topics) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let records = vec![
        Bytes::from_static(&[0]),
        Bytes::from(every_byte),
        Bytes::from(vec![0; 1000]),
        Bytes::from_static("größe\n{\"a\":1}".as_bytes()),
    ];
    append(engine, FIRST, records.clone()).await;
    assert_eq!(read_all(engine, FIRST, Visibility::Accepted).await, records);
}

/// All batches of one append get contiguous offsets, including two batches for one partition, and all can be read.
pub async fn batches_of_one_append_appear_together(engine: &dyn Topics) {
    let batches = [(FIRST, 0..2), (SECOND, 0..4), (FIRST, 2..5)]
        .map(|(topic_partition, range)| Batch { topic_partition, records: numbered(range) });
    let appended = engine.append(batches.to_vec()).await.expect("an append of three batches");
    assert_eq!(appended.offsets, [Offset(0), Offset(0), Offset(2)]);
    engine.durable(appended.receipt).await.expect("it becomes durable");
    assert_eq!(read_all(engine, FIRST, Visibility::Durable).await, numbered(0..5));
    assert_eq!(read_all(engine, SECOND, Visibility::Durable).await, numbered(0..4));
}

/// Readers of accepted records see a record as soon as `append` has accepted it, even before it is durable.
pub async fn accepted_records_are_seen_at_once(engine: &dyn Topics) {
    for n in 0..50 {
        append(engine, FIRST, numbered(n..n + 1)).await;
        assert_eq!(bounds(engine, FIRST, Visibility::Accepted).await.end, Offset(n + 1));
        let durable = bounds(engine, FIRST, Visibility::Durable).await.end;
        assert!(durable <= Offset(n + 1), "nothing is durable before it is accepted");
        let chunk = engine.read(FIRST, Offset(n), ANY_SIZE, Visibility::Accepted).await;
        assert_eq!(chunk.expect("an accepted record can be read").records, numbered(n..n + 1));
    }
}

/// When an append is durable, so is everything that was accepted before it.
pub async fn durability_is_a_prefix(engine: &dyn Topics) {
    let mut receipts = Vec::new();
    for n in 0..40 {
        let topic_partition = if n % 2 == 0 { FIRST } else { SECOND };
        receipts.push(append(engine, topic_partition, numbered(n..n + 1)).await.receipt);
    }
    assert!(receipts.is_sorted(), "receipts follow the order of acceptance");
    let last = *receipts.last().expect("there were appends");
    engine.durable(last).await.expect("the last append becomes durable");
    for topic_partition in [FIRST, SECOND] {
        assert_eq!(bounds(engine, topic_partition, Visibility::Durable).await.end, Offset(20));
    }
    for receipt in receipts {
        engine.durable(receipt).await.expect("an earlier append is durable");
    }
}

/// Once `durable` has returned, a durable read sees the append. A durable read never sees more than is durable.
pub async fn durable_readers_see_what_was_acknowledged(engine: &dyn Topics) {
    for n in 0..20 {
        let appended = append(engine, FIRST, numbered(n..n + 1)).await;
        engine.durable(appended.receipt).await.expect("an append becomes durable");
        let chunk = engine.read(FIRST, Offset(n), ANY_SIZE, Visibility::Durable).await;
        let chunk = chunk.expect("a durable record can be read");
        assert_eq!(chunk.records, numbered(n..n + 1));
        assert!(chunk.next() <= chunk.end);
    }
}

/// `wait_beyond` returns at once if there are records beyond the offset, otherwise with the next append.
pub async fn waiters_at_the_tail_are_woken(engine: Arc<dyn Topics>) {
    for visibility in [Visibility::Accepted, Visibility::Durable] {
        let end = bounds(&*engine, FIRST, visibility).await.end;
        let waiters: Vec<_> = (0..8)
            .map(|_| {
                let engine = Arc::clone(&engine);
                tokio::spawn(async move { engine.wait_beyond(FIRST, end, visibility).await })
            })
            .collect();
        tokio::task::yield_now().await;
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()), "there is nothing beyond the end");
        append(&*engine, SECOND, numbered(0..1)).await;
        append(&*engine, FIRST, numbered(0..1)).await;
        for waiter in waiters {
            waiter.await.expect("a waiter does not panic").expect("a waiter is woken");
        }
        engine.wait_beyond(FIRST, end, visibility).await.expect("what is there needs no wait");
        settle(&*engine).await;
    }
}

/// A read returns at least one record; two or more have at most `bytes_max` bytes. Following reads return the rest.
pub async fn reads_are_bounded_and_never_empty_before_the_end(engine: &dyn Topics) {
    let records: Vec<Bytes> = (1..60).map(|n: usize| Bytes::from(vec![7; 1 + (n * 37) % 500])).collect();
    for batch in records.chunks(7) {
        append(engine, FIRST, batch.to_vec()).await;
    }
    settle(engine).await;
    for bytes_max in [0, 1, 300, 1000, 5000, ANY_SIZE] {
        let mut read = Vec::new();
        while read.len() < records.len() {
            let from = Offset(read.len() as u64);
            let chunk = engine.read(FIRST, from, bytes_max, Visibility::Durable).await;
            let chunk = chunk.expect("a bounded read");
            let bytes: usize = chunk.records.iter().map(Bytes::len).sum();
            assert!(!chunk.records.is_empty(), "there is a record at {from}");
            assert!(chunk.records.len() == 1 || bytes <= bytes_max, "{bytes} bytes, {bytes_max} asked for");
            read.extend(chunk.records);
        }
        assert_eq!(read, records);
    }
}

/// Reads at the end of a partition and beyond it return no records.
pub async fn reading_at_and_beyond_the_end_is_empty(engine: &dyn Topics) {
    append(engine, FIRST, numbered(0..3)).await;
    settle(engine).await;
    for (topic_partition, from, end) in [(FIRST, 3, 3), (FIRST, 100, 3), (SECOND, 0, 0), (SECOND, 5, 0)] {
        for visibility in [Visibility::Accepted, Visibility::Durable] {
            let chunk = engine.read(topic_partition, Offset(from), ANY_SIZE, visibility).await;
            let chunk = chunk.expect("reading at the end is no error");
            assert!(chunk.records.is_empty());
            assert_eq!((chunk.from, chunk.end), (Offset(from), Offset(end)));
        }
    }
}

/// With many concurrent appenders, the records of each keep their order, and no record is lost, duplicated or mixed up.
pub async fn concurrent_appenders_keep_their_order(engine: Arc<dyn Topics>) {
    const APPENDERS: u64 = 16;
    const APPENDS: u64 = 50;
    let appenders: Vec<_> = (0..APPENDERS)
        .map(|who| {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                for n in 0..APPENDS {
                    let record = Bytes::from(format!("{who} {n}"));
                    let topic_partition = if n % 2 == 0 { FIRST } else { SECOND };
                    let appended = append(&*engine, topic_partition, vec![record.clone()]).await;
                    engine.durable(appended.receipt).await.expect("an append becomes durable");
                    let read =
                        engine.read(topic_partition, appended.offsets[0], 1, Visibility::Durable).await;
                    assert_eq!(read.expect("a durable record can be read").records, [record]);
                }
            })
        })
        .collect();
    for appender in appenders {
        appender.await.expect("an appender does not panic");
    }
    for (topic_partition, parity) in [(FIRST, 0), (SECOND, 1)] {
        let records = read_all(&*engine, topic_partition, Visibility::Durable).await;
        assert_eq!(records.len() as u64, APPENDERS * APPENDS / 2);
        for who in 0..APPENDERS {
            let prefix = format!("{who} ");
            let own: Vec<_> = records.iter().filter(|record| record.starts_with(prefix.as_bytes())).collect();
            let expected = (0..APPENDS).filter(|n| n % 2 == parity).map(|n| format!("{who} {n}"));
            assert!(
                own.iter().map(|record| &record[..]).eq(expected.map(String::into_bytes).collect::<Vec<_>>())
            );
        }
    }
}

/// Every call with a topic or partition that does not exist fails, and an append to one changes nothing.
pub async fn unknown_partitions_are_refused(engine: &dyn Topics) {
    for topic_partition in [TopicPartition::new(TOPIC, 2), TopicPartition::new(Topic::DeadLetters, 0)] {
        let batches = [FIRST, topic_partition]
            .map(|topic_partition| Batch { topic_partition, records: numbered(0..1) });
        let rejected = engine.append(batches.to_vec()).await;
        assert!(
            matches!(rejected, Err(AppendError::Rejected(AppendRejection::NoSuchPartition(p))) if p == topic_partition)
        );
        let read = engine.read(topic_partition, Offset(0), ANY_SIZE, Visibility::Accepted).await;
        assert!(matches!(read, Err(LogError::NoSuchPartition(p)) if p == topic_partition));
        let bounds = engine.bounds(topic_partition, Visibility::Durable).await;
        assert!(matches!(bounds, Err(LogError::NoSuchPartition(p)) if p == topic_partition));
        let waited = engine.wait_beyond(topic_partition, Offset(0), Visibility::Accepted).await;
        assert!(matches!(waited, Err(LogError::NoSuchPartition(p)) if p == topic_partition));
    }
    assert_eq!(bounds(engine, FIRST, Visibility::Accepted).await, Offset(0)..Offset(0));
}

/// `retain_from` changes nothing for readers, even with offsets of records that do not exist yet.
pub async fn held_records_stay_readable(engine: &dyn Topics) {
    engine.retain_from("a sink", FIRST, Offset(0));
    append(engine, FIRST, numbered(0..10)).await;
    engine.retain_from("a sink", FIRST, Offset(5));
    engine.retain_from("another sink", FIRST, Offset(100));
    assert_eq!(read_all(engine, FIRST, Visibility::Accepted).await, numbered(0..10));
}

/// An append that was dropped leaves its whole batch or nothing, and does not disturb the appends after it.
pub async fn a_dropped_append_leaves_its_whole_batch_or_nothing(engine: &dyn Topics) {
    let mut expected = Vec::new();
    for round in 0..20 {
        let batch = numbered(round * 10..round * 10 + 3);
        {
            let append = engine.append(vec![Batch { topic_partition: FIRST, records: batch.clone() }]);
            let mut append = std::pin::pin!(append);
            let once = std::future::poll_fn(|context| {
                std::task::Poll::Ready(append.as_mut().poll(context).is_ready())
            });
            once.await;
        }
        let next = append(engine, FIRST, numbered(round * 10 + 9..round * 10 + 10)).await;
        engine.durable(next.receipt).await.expect("the next append becomes durable");
        let all = read_all(engine, FIRST, Visibility::Durable).await;
        if all.len() > expected.len() + 1 {
            expected.extend(batch);
        }
        expected.extend(numbered(round * 10 + 9..round * 10 + 10));
        assert_eq!(all, expected);
    }
}

/// Two handles show the same log: each one's appends are visible to the other in the same order and wake its waiters.
pub async fn two_handles_show_one_log(rig: &dyn Rig) -> bool {
    let one = with_topic(rig, "handles").await;
    let Some(other) = rig.open_beside("handles").await else { return false };
    assert_eq!(other.partitions(TOPIC), 2);
    assert_eq!(other.id(), one.id());
    for n in 0..20 {
        let (from, to) = if n % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let waiter = {
            let to = Arc::clone(to);
            tokio::spawn(async move { to.wait_beyond(FIRST, Offset(n), Visibility::Durable).await })
        };
        let appended = append(&**from, FIRST, numbered(n..n + 1)).await;
        assert_eq!(appended.offsets, [Offset(n)]);
        from.durable(appended.receipt).await.expect("an append becomes durable");
        waiter.await.expect("a waiter does not panic").expect("a waiter is woken");
        assert_eq!(read_all(&**to, FIRST, Visibility::Durable).await, numbered(0..n + 1));
    }
    true
}

/// An append with an unknown outcome is stored completely or not at all, and may be repeated.
pub async fn an_unknown_outcome_leaves_whole_batches(rig: &dyn Rig) -> bool {
    let engine = with_topic(rig, "unknown outcomes").await;
    let mut expected = Vec::new();
    for (round, written) in [true, false, true].into_iter().enumerate() {
        if !rig.lose_answer("unknown outcomes", written) {
            return false;
        }
        let records = numbered(round as u64 * 3..round as u64 * 3 + 3);
        let lost = engine.append(vec![Batch { topic_partition: FIRST, records: records.clone() }]).await;
        assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
        let again = append(&*engine, FIRST, records.clone()).await;
        engine.durable(again.receipt).await.expect("a repeat becomes durable");
        if written {
            expected.extend(records.clone());
        }
        assert_eq!(again.offsets, [Offset(expected.len() as u64)]);
        expected.extend(records);
        assert_eq!(read_all(&*engine, FIRST, Visibility::Durable).await, expected);
    }
    true
}

/// A read of records that retention has removed fails and names the offset at which the log begins now. The other
/// records are unchanged.
pub async fn trimmed_records_are_named(rig: &dyn Rig) -> bool {
    let engine = with_topic(rig, "trimmed").await;
    for n in 0..40 {
        let records = (n * 5..n * 5 + 5).map(|n| Bytes::from(format!("{n:0>500}"))).collect();
        let appended = append(&*engine, FIRST, records).await;
        engine.durable(appended.receipt).await.expect("an append becomes durable");
    }
    if !rig.trim("trimmed").await {
        return false;
    }
    let Range { start, end } = bounds(&*engine, FIRST, Visibility::Durable).await;
    assert!(start > Offset(0) && end == Offset(200), "{start} to {end}");
    for from in [0, start.0 - 1] {
        let read = engine.read(FIRST, Offset(from), ANY_SIZE, Visibility::Durable).await;
        assert!(
            matches!(&read, Err(LogError::Trimmed { topic_partition, start: named }) if *topic_partition == FIRST && *named == start),
            "{read:?}"
        );
    }
    let rest: Vec<Bytes> = (start.0..200).map(|n| Bytes::from(format!("{n:0>500}"))).collect();
    assert_eq!(read_all(&*engine, FIRST, Visibility::Durable).await, rest);
    let next = append(&*engine, FIRST, numbered(0..1)).await;
    assert_eq!(next.offsets, [Offset(200)], "offsets go on");
    true
}

/// After closing, appends are refused permanently, and pending waits fail.
pub async fn a_closed_log_refuses_and_wakes(rig: &dyn Rig) -> bool {
    let engine = with_topic(rig, "closed").await;
    append(&*engine, FIRST, numbered(0..3)).await;
    settle(&*engine).await;
    let waiter = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.wait_beyond(FIRST, Offset(3), Visibility::Durable).await })
    };
    tokio::task::yield_now().await;
    if !rig.close("closed").await {
        waiter.abort();
        return false;
    }
    let waited = waiter.await.expect("a waiter does not panic");
    assert!(matches!(waited, Err(LogError::Unavailable(_))), "{waited:?}");
    let refused = engine.append(vec![Batch { topic_partition: FIRST, records: numbered(3..4) }]).await;
    assert!(matches!(refused, Err(AppendError::Rejected(AppendRejection::Closed))), "{refused:?}");
    true
}

/// A reopened store has the durable records with their offsets, and appends continue after them.
pub async fn reopening_gives_the_same_records(rig: &dyn Rig) {
    let mut expected = Vec::new();
    let id = with_topic(rig, "reopen").await.id();
    assert_ne!(rig.open("another").await.id(), id, "each log has an identity of its own");
    for round in 0..4 {
        let engine = with_topic(rig, "reopen").await;
        assert_eq!(engine.id(), id, "the identity of a log stays");
        assert_eq!(engine.partitions(TOPIC), 2);
        assert_eq!(read_all(&*engine, FIRST, Visibility::Durable).await, expected);
        let records = numbered(round * 10..round * 10 + 10);
        let appended = append(&*engine, FIRST, records.clone()).await;
        assert_eq!(appended.offsets, [Offset(expected.len() as u64)]);
        expected.extend(records);
        engine.durable(appended.receipt).await.expect("an append becomes durable");
        drop(engine);
    }
}

/// Appends one batch; panics unless it is accepted.
async fn append(engine: &dyn Topics, topic_partition: TopicPartition, records: Vec<Bytes>) -> Appended {
    engine.append(vec![Batch { topic_partition, records }]).await.expect("an append is accepted")
}

/// Waits until everything accepted so far is durable.
async fn settle(engine: &dyn Topics) {
    for topic_partition in [FIRST, SECOND] {
        let end = bounds(engine, topic_partition, Visibility::Accepted).await.end;
        if end > Offset(0) {
            let last = Offset(end.0 - 1);
            engine.wait_beyond(topic_partition, last, Visibility::Durable).await.expect("it becomes durable");
        }
    }
}

async fn bounds(
    engine: &dyn Topics,
    topic_partition: TopicPartition,
    visibility: Visibility,
) -> Range<Offset> {
    engine.bounds(topic_partition, visibility).await.expect("a partition has bounds")
}

/// Reads all records of a partition, in chunks of about 4 KiB.
pub async fn read_all(
    engine: &dyn Topics,
    topic_partition: TopicPartition,
    visibility: Visibility,
) -> Vec<Bytes> {
    let Range { start, end } = bounds(engine, topic_partition, visibility).await;
    let (mut next, mut records) = (start, Vec::new());
    while next < end {
        let chunk =
            engine.read(topic_partition, next, 4096, visibility).await.expect("stored records can be read");
        assert_eq!(chunk.from, next);
        assert!(!chunk.records.is_empty(), "there is a record at {next}");
        next = chunk.next();
        records.extend(chunk.records);
    }
    records
}

/// One record for each number of the range; each record's text states its number.
fn numbered(range: Range<u64>) -> Vec<Bytes> {
    range.map(|n| Bytes::from(format!("record {n}"))).collect()
}
