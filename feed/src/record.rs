//! An event as every reader gets it, and how far a reader is.

use std::sync::OnceLock;

use bytes::Bytes;
use compact_str::CompactString;
use orderflow_schemas::{
    DecodeError, Offset, OrderEvent, Payload, RawRecord, Record, RecordHeader, StockEvent, Topic,
    TopicPartition,
};

/// How far a reader is in one partition of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionCheckpoint {
    /// The offset to read from next.
    pub next: Offset,
    /// The number of the last event taken; 0 before the first. A partition of events has one source, so one number
    /// says which events were taken.
    pub number: u64,
    /// Records after that event whose number could not be read. The next event may be ahead by so many.
    pub unreadable: u64,
    /// The highest offset of a command that an event taken so far answers.
    pub cause: Option<Offset>,
}

/// The partition of commands whose processor writes this partition of events.
pub fn commands_of(events: TopicPartition) -> Option<TopicPartition> {
    let topic = match events.topic {
        Topic::OrdersEvents => Topic::OrdersCommands,
        Topic::StockEvents => Topic::StockCommands,
        Topic::OrdersCommands | Topic::StockCommands | Topic::DeadLetters => return None,
    };
    Some(TopicPartition { topic, partition: events.partition })
}

/// What was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// About an order.
    Order(OrderEvent),
    /// About stock or the catalogue.
    Stock(StockEvent),
}

/// An event and its place in the log. Its header is decoded, and its payload once it is asked for.
#[derive(Debug)]
pub struct EventRecord {
    /// The partition it stands in.
    pub at: TopicPartition,
    /// Its offset there.
    pub offset: Offset,
    /// The command it answers, by offset.
    pub cause: Offset,
    /// Its header.
    pub header: RecordHeader,
    /// The kind of its payload.
    pub kind: CompactString,
    /// The whole record as it stands in the log. It keeps the block it was read in.
    pub bytes: Bytes,
    data: Bytes,
    event: OnceLock<Result<Event, String>>,
}

impl EventRecord {
    /// The record in `bytes`, whose header was read as `raw`.
    pub(crate) fn new(
        at: TopicPartition,
        offset: Offset,
        cause: Offset,
        bytes: &Bytes,
        raw: RawRecord<'_>,
    ) -> Self {
        let data = bytes.slice_ref(raw.data.as_bytes());
        let (header, kind, bytes) = (raw.header, raw.kind.into(), bytes.clone());
        Self { at, offset, cause, header, kind, bytes, data, event: OnceLock::new() }
    }

    /// An event that was not read from a log, with the bytes that it would have there.
    pub fn of(at: TopicPartition, offset: Offset, cause: Offset, header: RecordHeader, event: Event) -> Self {
        let bytes = match event.clone() {
            Event::Order(data) => Record { header, data }.encode(),
            Event::Stock(data) => Record { header, data }.encode(),
        };
        let raw = RawRecord::decode(&bytes).expect("it was just written");
        let record = Self::new(at, offset, cause, &bytes, raw);
        record.event.set(Ok(event)).expect("nobody has asked for it yet");
        record
    }

    /// The JSON of its payload.
    pub fn data(&self) -> &str {
        str::from_utf8(&self.data).expect("it was text when the header was read")
    }

    /// The event, or why it cannot be read. It is decoded once, whoever asks first.
    pub fn event(&self) -> Result<&Event, &str> {
        let event = self.event.get_or_init(|| self.decode().map_err(|error| error.to_string()));
        event.as_ref().map_err(String::as_str)
    }

    fn decode(&self) -> Result<Event, DecodeError> {
        Ok(match self.at.topic {
            Topic::StockEvents => Event::Stock(StockEvent::decode(&self.kind, self.data())?),
            _ => Event::Order(OrderEvent::decode(&self.kind, self.data())?),
        })
    }
}
