//! The progress of a store, for clients that read their own writes.
//!
//! A client's position names offsets of commands. A store has reached the position when it holds what was decided of
//! these commands. The driver advances the progress after each commit, so a client that has waited for a position finds
//! it in the store.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use orderflow_feed::commands_of;
use orderflow_schemas::{Offset, Position, Topic, TopicPartition};
use tokio::sync::watch;

use crate::Checkpoint;

/// The last command of each partition that a store shows. Clones share it.
#[derive(Clone, Debug)]
pub struct Progress {
    reached: Arc<watch::Sender<BTreeMap<TopicPartition, Option<Offset>>>>,
}

/// The error of a position that names a partition that does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no partition {0}")]
pub struct UnknownPartition(pub TopicPartition);

fn is_commands(topic_partition: TopicPartition) -> bool {
    matches!(topic_partition.topic, Topic::OrdersCommands | Topic::StockCommands)
}

impl Progress {
    /// The progress of a store that shows nothing yet of these partitions of events.
    pub fn new(events: impl IntoIterator<Item = TopicPartition>) -> Self {
        let commands =
            events.into_iter().filter_map(commands_of).map(|topic_partition| (topic_partition, None));
        Self { reached: Arc::new(watch::Sender::new(commands.collect())) }
    }

    /// Records that the store shows everything up to `checkpoint`. The progress never goes back.
    pub fn advance(&self, checkpoint: &Checkpoint) {
        self.reached.send_modify(|reached| {
            for (events, progress) in &checkpoint.0 {
                let Some(commands) = commands_of(*events) else { continue };
                if let Some(known) = reached.get_mut(&commands) {
                    *known = (*known).max(progress.cause);
                }
            }
        });
    }

    /// Checks that all partitions of commands in the position exist. Partitions of other topics are ignored.
    pub fn check(&self, position: &Position) -> Result<(), UnknownPartition> {
        let reached = self.reached.borrow();
        match position.iter().find(|(topic_partition, _)| {
            is_commands(*topic_partition) && !reached.contains_key(topic_partition)
        }) {
            Some((topic_partition, _)) => Err(UnknownPartition(topic_partition)),
            None => Ok(()),
        }
    }

    /// Waits for at most `within` until the store shows all commands that the position names. Returns whether it does.
    /// Never true for a partition that does not exist. The future may be dropped at any time.
    pub async fn reach(&self, position: &Position, within: Duration) -> bool {
        let mut receiver = self.reached.subscribe();
        let wanted = |reached: &BTreeMap<TopicPartition, Option<Offset>>| {
            let mut named = position.iter().filter(|(topic_partition, _)| is_commands(*topic_partition));
            named.all(|(topic_partition, offset)| {
                reached.get(&topic_partition).is_some_and(|known| *known >= Some(offset))
            })
        };
        matches!(tokio::time::timeout(within, receiver.wait_for(wanted)).await, Ok(Ok(_)))
    }

    /// The progress of the store as a position.
    pub fn position(&self) -> Position {
        let mut position = Position::default();
        for (topic_partition, offset) in self.reached.borrow().iter() {
            if let Some(offset) = offset {
                position.reach(*topic_partition, *offset);
            }
        }
        position
    }
}

#[cfg(test)]
mod tests {
    use orderflow_feed::PartitionCheckpoint;

    use super::*;

    fn at(topic: Topic, cause: u64) -> Checkpoint {
        let progress = PartitionCheckpoint { cause: Some(Offset(cause)), ..PartitionCheckpoint::default() };
        Checkpoint([(TopicPartition::new(topic, 0), progress)].into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_position_is_reached_when_its_command_is_shown_and_not_before() {
        let progress = Progress::new([TopicPartition::new(Topic::OrdersEvents, 0)]);
        let position: Position = "orders.commands:0@5;dead.letters:0@99".parse().unwrap();
        assert!(!progress.reach(&position, Duration::from_secs(2)).await);
        progress.advance(&at(Topic::OrdersEvents, 4));
        assert!(!progress.reach(&position, Duration::from_secs(2)).await);
        let (reached, ()) = tokio::join!(progress.reach(&position, Duration::from_secs(2)), async {
            progress.advance(&at(Topic::OrdersEvents, 5));
        });
        assert!(reached);
        progress.advance(&at(Topic::OrdersEvents, 1));
        assert!(progress.reach(&position, Duration::ZERO).await, "progress never goes back");
        assert_eq!(progress.position().to_string(), "orders.commands:0@5");
    }

    #[test]
    fn a_partition_that_does_not_exist_is_named() {
        let progress = Progress::new([TopicPartition::new(Topic::OrdersEvents, 0)]);
        let unknown = TopicPartition::new(Topic::OrdersCommands, 1);
        assert_eq!(progress.check(&Position::of(unknown, Offset(0))), Err(UnknownPartition(unknown)));
        assert_eq!(progress.check(&Position::default()), Ok(()));
    }
}
