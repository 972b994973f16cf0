//! Topics, partitions and offsets: the coordinates of a record.
//!
//! The set of topics is closed and small, so a topic is a `Copy` enum and a coordinate is a few bytes. Partition counts
//! are settings and are stored with the log. The names and ids here never change.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A topic of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Requests about orders, partitioned by customer; also stock replies and clock ticks.
    OrdersCommands,
    /// Decisions about orders, partitioned as their commands.
    OrdersEvents,
    /// Requests about stock and the catalogue, partitioned by SKU.
    StockCommands,
    /// Decisions about stock and the catalogue, partitioned by SKU.
    StockEvents,
    /// Records that could not be read or stored, with their place in the log and the reason.
    DeadLetters,
}

impl Topic {
    /// All topics, in the order of their ids.
    pub const ALL: [Self; 5] =
        [Self::OrdersCommands, Self::OrdersEvents, Self::StockCommands, Self::StockEvents, Self::DeadLetters];

    /// The name of the topic for users, brokers and records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OrdersCommands => "orders.commands",
            Self::OrdersEvents => "orders.events",
            Self::StockCommands => "stock.commands",
            Self::StockEvents => "stock.events",
            Self::DeadLetters => "dead.letters",
        }
    }

    /// The number of the topic on disk. Never reused.
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// The topic with this number on disk; `None` if there is none.
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.get(usize::from(id)).copied()
    }
}

impl schemars::JsonSchema for Topic {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Topic".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "enum": Self::ALL.map(Self::as_str) })
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No topic has this name.
#[derive(Debug, thiserror::Error)]
#[error(
    "unknown topic `{0}`; topics are orders.commands, orders.events, stock.commands, stock.events and dead.letters"
)]
pub struct UnknownTopic(String);

impl FromStr for Topic {
    type Err = UnknownTopic;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.as_str() == name)
            .ok_or_else(|| UnknownTopic(name.to_owned()))
    }
}

/// The number of a partition within its topic, from 0.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Partition(pub u16);

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a record within its partition, from 0.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Offset(pub u64);

impl Offset {
    /// The first offset of a partition.
    pub const ZERO: Self = Self(0);

    /// The offset of the record after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One partition of one topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// The topic of the partition.
    pub topic: Topic,
    /// The number of the partition within the topic.
    pub partition: Partition,
}

impl TopicPartition {
    /// The partition of `topic` with this number.
    pub const fn new(topic: Topic, partition: u16) -> Self {
        Self { topic, partition: Partition(partition) }
    }
}

/// Written as topic, slash and partition number: `orders.commands/3`.
impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}
