//! Records of events for the tests of this crate.

use bytes::Bytes;
use orderflow_schemas::{
    Offset, OrderEvent, Payload, Record, RecordHeader, Source, StockEvent, Timestamp, Topic, TopicPartition,
    envelope::Cause,
    events::{Change, OrderChanged},
};
use serde_json::json;

use crate::commands_of;

pub const ORDERS: TopicPartition = TopicPartition::new(Topic::OrdersEvents, 0);
pub const STOCK: TopicPartition = TopicPartition::new(Topic::StockEvents, 0);

/// The header of event `number`, which answers the command at offset `number * 10`.
pub fn header(topic_partition: TopicPartition, number: u64) -> RecordHeader {
    let source = Source::new("clock").unwrap();
    RecordHeader {
        source: Source::processor(commands_of(topic_partition).unwrap()),
        number,
        time: Timestamp::from_micros(7),
        cause: Some(Cause { offset: Offset(number * 10), source, number }),
        sent: Vec::new(),
        traceparent: None,
    }
}

/// A record as it is stored in the log.
pub fn bytes<T: Payload>(topic_partition: TopicPartition, number: u64, data: T) -> Bytes {
    Record { header: header(topic_partition, number), data }.encode()
}

/// An `order.updated` event with this version of the order.
pub fn changed(version: u64) -> OrderEvent {
    let event = json!({
        "order": {
            "id": "0190aaaa-0000-7000-8000-000000000001", "customer_id": "c", "status": "CREATED", "version": version,
            "currency": "EUR", "total": null, "lines": [], "channel": null, "notes": null, "fail_reason": null,
            "idempotency_key": null, "placed_at": "2026-01-01T00:00:00Z", "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
        },
        "by": { "role": "admin", "subject": "a" },
    });
    OrderEvent::Changed(Change::Updated, serde_json::from_str::<OrderChanged>(&event.to_string()).unwrap())
}

/// A `product.updated` event.
pub fn product() -> StockEvent {
    let data = json!({
        "sku": "A", "name": "a", "unit_price": 500, "currency": "EUR",
        "levels": { "received": 1, "available": 1, "reserved": 0, "shipped": 0, "written_off": 0 },
        "by": { "role": "admin", "subject": "a" },
    });
    StockEvent::ProductUpdated(serde_json::from_str(&data.to_string()).unwrap())
}
