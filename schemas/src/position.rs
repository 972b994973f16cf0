//! A position: how far a client has seen, as a token. The client hands it back to read its own writes.
//!
//! `orders.commands:3@17,5@9;stock.commands:0@2` means: at least through offset 17 of `orders.commands/3`, and so on.
//! Positions refer to commands, whose offsets are known as soon as a write is durable. A store has reached a position
//! when it holds the results of each command named and of all commands before it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use crate::topic::{Offset, Partition, Topic, TopicPartition};

/// The most partitions that a position may name.
pub const PARTITIONS_MAX: usize = 4_096;

/// For each partition named, the last offset that must have been seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position(BTreeMap<TopicPartition, Offset>);

/// The text is not a position.
#[derive(Debug, thiserror::Error)]
#[error("not a position, such as orders.commands:3@17,5@9;stock.commands:0@2")]
pub struct InvalidPosition;

impl Position {
    /// The position of one record.
    pub fn of(topic_partition: TopicPartition, offset: Offset) -> Self {
        Self(BTreeMap::from([(topic_partition, offset)]))
    }

    /// Extends this position to at least `offset` in the partition `topic_partition`.
    pub fn reach(&mut self, topic_partition: TopicPartition, offset: Offset) {
        let known = self.0.entry(topic_partition).or_insert(offset);
        *known = (*known).max(offset);
    }

    /// The partitions named, in order, each with the last offset that must have been seen.
    pub fn iter(&self) -> impl Iterator<Item = (TopicPartition, Offset)> + '_ {
        self.0.iter().map(|(topic_partition, offset)| (*topic_partition, *offset))
    }

    /// The last offset that must have been seen in this partition; `None` if it is not named.
    pub fn get(&self, topic_partition: TopicPartition) -> Option<Offset> {
        self.0.get(&topic_partition).copied()
    }

    /// Whether the position names no partition.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this position is at least as far as `other` in every partition that `other` names.
    pub fn covers(&self, other: &Self) -> bool {
        other
            .iter()
            .all(|(topic_partition, offset)| self.get(topic_partition).is_some_and(|here| here >= offset))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut topic = None;
        for (topic_partition, offset) in self.iter() {
            if topic == Some(topic_partition.topic) {
                f.write_str(",")?;
            } else {
                let before = if topic.is_none() { "" } else { ";" };
                write!(f, "{before}{}:", topic_partition.topic)?;
                topic = Some(topic_partition.topic);
            }
            write!(f, "{}@{offset}", topic_partition.partition)?;
        }
        Ok(())
    }
}

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut position = Self::default();
        for group in text.split(';').filter(|group| !group.is_empty()) {
            let (topic, entries) = group.split_once(':').ok_or(InvalidPosition)?;
            let topic: Topic = topic.trim().parse().map_err(|_| InvalidPosition)?;
            for entry in entries.split(',') {
                let (partition, offset) = entry.split_once('@').ok_or(InvalidPosition)?;
                let partition = Partition(partition.trim().parse().map_err(|_| InvalidPosition)?);
                let offset = Offset(offset.trim().parse().map_err(|_| InvalidPosition)?);
                position.reach(TopicPartition { topic, partition }, offset);
            }
            if position.0.len() > PARTITIONS_MAX {
                return Err(InvalidPosition);
            }
        }
        Ok(position)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_position_are_the_same_thing(
            entries in proptest::collection::vec((0..5u16, 0..20u16, any::<u64>()), 0..40)
        ) {
            let mut position = Position::default();
            for (topic, partition, offset) in entries {
                let topic = Topic::from_id(topic).unwrap();
                position.reach(TopicPartition::new(topic, partition), Offset(offset));
            }
            prop_assert_eq!(position.to_string().parse::<Position>().unwrap(), position.clone());
            prop_assert!(position.covers(&position));
        }

        #[test]
        fn any_text_is_a_position_or_an_error(text in ".{0,60}") {
            let _ = text.parse::<Position>();
        }
    }

    #[test]
    fn a_position_covers_what_is_not_further() {
        let far: Position = "orders.commands:3@17,5@9".parse().unwrap();
        assert!(far.covers(&"orders.commands:3@16".parse().unwrap()));
        assert!(!far.covers(&"orders.commands:3@18".parse().unwrap()));
        assert!(!far.covers(&"stock.commands:0@0".parse().unwrap()));
    }
}
