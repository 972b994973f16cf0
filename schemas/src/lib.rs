//! The words of orderflow as types: commands, events, ids, money, positions and lifecycles.
//!
//! Pure: nothing here reads a clock, a file or a socket. Every other crate speaks these types.

pub mod topic;

pub use topic::{Offset, Partition, Topic, TopicPartition, UnknownTopic};
