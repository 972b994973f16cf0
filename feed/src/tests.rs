//! Tests of the feed over an in-memory log.

use std::sync::Arc;

use bytes::Bytes;
use orderflow_schemas::Offset;
use orderflow_topics::{LogError, Topics, memory::MemoryTopics};

use crate::{
    Cursor, Delivery, Event, Feed, FeedError, FeedSettings, PartitionCheckpoint,
    samples::{ORDERS, STOCK, bytes, changed, header, product},
};

struct Stage {
    log: Arc<MemoryTopics>,
    feed: Feed,
}

impl Stage {
    fn new(settings: FeedSettings) -> Self {
        let log = MemoryTopics::with_partitions(1);
        let topics: Arc<dyn Topics> = log.clone();
        Self { feed: Feed::new(&topics, settings), log }
    }

    fn put(&self, records: impl IntoIterator<Item = Bytes>) {
        self.log.put(ORDERS, records);
    }

    fn cursor(&self) -> Cursor {
        self.feed.cursor(ORDERS, PartitionCheckpoint::default()).unwrap()
    }
}

fn event(number: u64) -> Bytes {
    bytes(ORDERS, number, changed(number))
}

/// Takes all entries up to the end, and decodes each event. Returns the number of each event; `None` for a record that
/// is not an event.
async fn drain(cursor: &mut Cursor) -> Result<Vec<Option<u64>>, FeedError> {
    let mut taken = Vec::new();
    loop {
        let entries = cursor.read().await.unwrap();
        if entries.is_empty() {
            return Ok(taken);
        }
        for entry in entries.iter() {
            match cursor.take(entry)? {
                Delivery::Event(record) if record.event().is_ok() => taken.push(Some(record.header.number)),
                Delivery::Event(_) | Delivery::Unusable(_) => taken.push(None),
                Delivery::Repeat => {}
            }
        }
    }
}

#[tokio::test]
async fn repeats_are_skipped_and_a_gap_stops() {
    let stage = Stage::new(FeedSettings::default());
    let mut cursor = stage.cursor();
    stage.put([event(1), event(1), event(2)]);
    assert_eq!(drain(&mut cursor).await.unwrap(), [Some(1), Some(2)]);
    let before = cursor.checkpoint();
    assert_eq!(
        before,
        PartitionCheckpoint { next: Offset(3), number: 2, unreadable: 0, cause: Some(Offset(20)) }
    );
    stage.put([event(4)]);
    let error = drain(&mut cursor).await.unwrap_err();
    assert!(matches!(error, FeedError::Gap { expected: 3, found: 4, offset: Offset(3), .. }), "{error}");
    assert_eq!(cursor.checkpoint(), before);
}

#[tokio::test]
async fn what_cannot_be_read_is_a_dead_letter_and_makes_no_gap() {
    let stage = Stage::new(FeedSettings::default());
    let mut cursor = stage.cursor();
    // The garbage may have been number 1, and the record of a foreign source may have had any.
    let wrong_kind = bytes(ORDERS, 3, product());
    stage.put([Bytes::from_static(b"\xffgarbage"), event(2), wrong_kind, event(4)]);
    stage.put([bytes(STOCK, 5, product()), event(5)]);
    assert_eq!(drain(&mut cursor).await.unwrap(), [None, Some(2), None, Some(4), None, Some(5)]);
    stage.put([event(7)]);
    assert!(drain(&mut cursor).await.is_err(), "a gap is a gap again");
}

#[tokio::test]
async fn an_event_without_a_cause_is_a_dead_letter() {
    let stage = Stage::new(FeedSettings::default());
    let mut cursor = stage.cursor();
    let mut header = header(ORDERS, 1);
    header.cause = None;
    stage.put([orderflow_schemas::Record { header, data: changed(1) }.encode(), event(2)]);
    assert_eq!(drain(&mut cursor).await.unwrap(), [None, Some(2)]);
}

#[tokio::test]
async fn a_newer_envelope_stops_instead_of_being_lost() {
    let stage = Stage::new(FeedSettings::default());
    let text = String::from_utf8(event(1).to_vec()).unwrap().replace("{\"v\":1,", "{\"v\":2,");
    stage.put([text.into()]);
    let mut cursor = stage.cursor();
    let error = drain(&mut cursor).await.unwrap_err();
    assert!(matches!(error, FeedError::NewerVersion { version: 2, .. }), "{error}");
    assert_eq!(cursor.checkpoint(), PartitionCheckpoint::default());
}

#[tokio::test]
async fn only_events_can_be_followed() {
    let stage = Stage::new(FeedSettings::default());
    let commands = orderflow_schemas::TopicPartition::new(orderflow_schemas::Topic::OrdersCommands, 0);
    assert!(matches!(
        stage.feed.cursor(commands, PartitionCheckpoint::default()),
        Err(LogError::NoSuchPartition(_))
    ));
}

#[tokio::test]
async fn who_follows_at_the_end_shares_what_was_read_and_decoded() {
    let stage = Stage::new(FeedSettings::default());
    stage.put((1..=3).map(event));
    let (first, second) = (stage.cursor().read().await.unwrap(), stage.cursor().read().await.unwrap());
    let [crate::FeedEntry::Event(one), crate::FeedEntry::Event(other)] = [&first[0], &second[0]] else {
        unreachable!()
    };
    assert!(Arc::ptr_eq(one, other));
    assert!(std::ptr::eq(one.event().unwrap(), other.event().unwrap()), "the payload is decoded once, too");
    assert!(matches!(one.event(), Ok(Event::Order(_))));
    assert_eq!(one.bytes, event(1), "the encoded bytes are kept");
}

#[tokio::test]
async fn a_reader_that_the_ring_has_passed_reads_the_log_and_joins_again() {
    let block = event(1).len() * 2;
    let stage = Stage::new(FeedSettings { read_bytes: block, ring_bytes_max: block * 3 });
    let (mut slow, mut fast) = (stage.cursor(), stage.cursor());
    stage.put((1..=100).map(event));
    assert_eq!(drain(&mut fast).await.unwrap().len(), 100);
    let held = stage.feed.held(ORDERS);
    assert!(held.1 <= block * 3, "{held:?}");
    assert_eq!(drain(&mut slow).await.unwrap().len(), 100, "nothing is missing for the slow one");
    let held_after = stage.feed.held(ORDERS);
    assert!(held_after.1 <= block * 3, "a slow reader does not make the ring grow: {held_after:?}");
    stage.put([event(101)]);
    let (one, other) = (fast.read().await.unwrap(), slow.read().await.unwrap());
    let [crate::FeedEntry::Event(one), crate::FeedEntry::Event(other)] = [&one[0], &other[0]] else {
        unreachable!()
    };
    assert!(Arc::ptr_eq(one, other), "it has joined again");
}

#[tokio::test]
async fn a_reader_at_the_end_passes_over_what_nobody_has_read() {
    let stage = Stage::new(FeedSettings::default());
    stage.put((1..=3).map(event));
    let mut behind = stage.cursor();
    assert_eq!(stage.feed.read(ORDERS, Offset(0)).await.unwrap().len(), 3);
    stage.put((4..=9).map(event));
    assert_eq!(stage.feed.read(ORDERS, Offset(7)).await.unwrap().len(), 2);
    assert_eq!(drain(&mut behind).await.unwrap().len(), 9);
    assert!(stage.feed.read(ORDERS, Offset(9)).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_is_not_durable_is_not_shown_and_what_is_trimmed_is_an_error() {
    let stage = Stage::new(FeedSettings::default());
    stage.put((1..=3).map(event));
    stage.log.hold_back();
    stage.put([event(4)]);
    assert_eq!(drain(&mut stage.cursor()).await.unwrap().len(), 3);
    stage.log.sync();
    assert_eq!(drain(&mut stage.cursor()).await.unwrap().len(), 4);
    let other = Stage::new(FeedSettings::default());
    other.put((1..=3).map(event));
    other.log.trim(ORDERS, Offset(2));
    let trimmed = other.cursor().read().await.unwrap_err();
    assert!(matches!(trimmed, LogError::Trimmed { start: Offset(2), .. }), "{trimmed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_at_once_miss_nothing_and_take_nothing_twice() {
    let block = event(1).len() * 3;
    let stage = Stage::new(FeedSettings { read_bytes: block, ring_bytes_max: block * 2 });
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let mut cursor = stage.cursor();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                while numbers.len() < 500 {
                    cursor.wait().await.unwrap();
                    numbers.extend(drain(&mut cursor).await.unwrap());
                }
                numbers
            })
        })
        .collect();
    for number in 1..=500 {
        stage.put([event(number)]);
        tokio::task::yield_now().await;
    }
    for reader in readers {
        assert!(reader.await.unwrap().into_iter().eq((1..=500).map(Some)));
    }
}
