//! The vocabulary of orderflow as types: commands, events, ids, money, positions and lifecycles.
//!
//! This crate is pure: nothing here reads a clock, a file or a socket, and no result depends on the iteration order of
//! a hash map. All other crates use these types. The JSON Schemas under `json/` are generated from them.

pub mod commands;
mod dead_letter;
pub mod envelope;
pub mod events;
pub mod hash;
mod hex;
mod idempotency;
pub mod ids;
pub mod json_schemas;
pub mod lifecycle;
pub mod limits;
pub mod lines;
pub mod lists;
mod log_id;
pub mod money;
pub mod order;
pub mod position;
pub mod returns;
pub mod shipment;
pub mod sources;
pub mod time;
pub mod topic;

pub use commands::{OrderCommand, StockCommand};
pub use dead_letter::{DeadLetter, LetterBytes};
pub use envelope::{Cause, DecodeError, Payload, RawRecord, Record, RecordHeader, Source};
pub use events::{Levels, OrderEvent, StockEvent};
pub use hash::RoutingHash;
pub use ids::{CustomerId, IdempotencyKey, OrderId, Sku, Status};
pub use lifecycle::Lifecycle;
pub use lines::{ItemLine, Lines, OrderLine};
pub use log_id::{InvalidLogId, LogId};
pub use money::{Amount, Currency};
pub use order::{Actor, Order, Role};
pub use position::Position;
pub use shipment::{ShipmentEvent, ShipmentStatus};
pub use sources::{Arrival, Sources};
pub use time::Timestamp;
pub use topic::{Offset, Partition, Topic, TopicPartition, UnknownTopic};
