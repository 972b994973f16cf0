//! An event as every reader gets it, and how far a reader has read.

use std::sync::OnceLock;

use bytes::Bytes;
use compact_str::CompactString;
use orderflow_schemas::{
    DecodeError, Offset, OrderEvent, Payload, RawRecord, Record, RecordHeader, StockEvent, Topic,
    TopicPartition,
};

/// How far a reader has read one partition of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionCheckpoint {
    /// The offset to read from next.
    pub next: Offset,
    /// The number of the last event taken; 0 before the first. A partition of events has one source, so one number
    /// says which events were taken.
    pub number: u64,
    /// Records after that event whose number could not be read. The next event's number may be higher by up to this
    /// many.
    pub unreadable: u64,
    /// The highest offset of a command that an event taken so far answers; `None` before the first event.
    pub cause: Option<Offset>,
}

/// The partition of commands whose processor writes this partition of events; `None` if `events` does not hold events.
pub fn commands_of(events: TopicPartition) -> Option<TopicPartition> {
    let topic = match events.topic {
        Topic::OrdersEvents => Topic::OrdersCommands,
        Topic::StockEvents => Topic::StockCommands,
        Topic::OrdersCommands | Topic::StockCommands | Topic::DeadLetters => return None,
    };
    Some(TopicPartition { topic, partition: events.partition })
}

/// The decision that an event records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A decision about an order.
    Order(OrderEvent),
    /// A decision about stock or the catalogue.
    Stock(StockEvent),
}

/// An event and its place in the log. Its header is decoded; its payload is decoded on first use.
#[derive(Debug)]
pub struct EventRecord {
    /// The partition of events that holds the event.
    pub topic_partition: TopicPartition,
    /// The offset of the event in that partition.
    pub offset: Offset,
    /// The offset of the command that the event answers.
    pub cause: Offset,
    /// The decoded header of the record.
    pub header: RecordHeader,
    /// The kind of the payload, such as `order.created`.
    pub kind: CompactString,
    /// The whole record as it is stored in the log. It keeps the block that it was read in.
    pub bytes: Bytes,
    data: Bytes,
    event: OnceLock<Result<Event, String>>,
}

impl EventRecord {
    /// The record in `bytes`, whose header was decoded as `raw`.
    pub(crate) fn new(
        topic_partition: TopicPartition,
        offset: Offset,
        cause: Offset,
        bytes: &Bytes,
        raw: RawRecord<'_>,
    ) -> Self {
        let data = bytes.slice_ref(raw.data.as_bytes());
        let (header, kind, bytes) = (raw.header, raw.kind.into(), bytes.clone());
        Self { topic_partition, offset, cause, header, kind, bytes, data, event: OnceLock::new() }
    }

    /// An event that was not read from a log, with the bytes that it would have there.
    pub fn of(
        topic_partition: TopicPartition,
        offset: Offset,
        cause: Offset,
        header: RecordHeader,
        event: Event,
    ) -> Self {
        let bytes = match event.clone() {
            Event::Order(data) => Record { header, data }.encode(),
            Event::Stock(data) => Record { header, data }.encode(),
        };
        let raw = RawRecord::decode(&bytes).expect("it was just written");
        let record = Self::new(topic_partition, offset, cause, &bytes, raw);
        record.event.set(Ok(event)).expect("nobody has asked for it yet");
        record
    }

    /// The payload as JSON text.
    pub fn data(&self) -> &str {
        str::from_utf8(&self.data).expect("it was text when the header was read")
    }

    /// The decoded event, or why it cannot be decoded. The first call decodes it; later calls share the result.
    pub fn event(&self) -> Result<&Event, &str> {
        let event = self.event.get_or_init(|| self.decode().map_err(|error| error.to_string()));
        event.as_ref().map_err(String::as_str)
    }

    fn decode(&self) -> Result<Event, DecodeError> {
        Ok(match self.topic_partition.topic {
            Topic::StockEvents => Event::Stock(StockEvent::decode(&self.kind, self.data())?),
            _ => Event::Order(OrderEvent::decode(&self.kind, self.data())?),
        })
    }
}
