//! A log that breaks its promise: one durable record is lost, and the records after it have moved to the offset
//! before.
//!
//! No correct result is possible any more. Every reader that starts from the beginning must stop and name the
//! partition. No reader may continue as if nothing were missing.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderflow_schemas::{Offset, RawRecord, Topic, TopicPartition};
use orderflow_topics::{Topics, Visibility};
use orderflow_world::disk::Disk;

use super::{Simulation, lock};
use crate::{
    at_once,
    check::{Checked, broken},
    database::Database,
    process::{self, Failure, Process},
};

/// The number of steps within which every reader must have stopped.
const STEPS_MAX: u64 = 200_000;

impl Simulation {
    /// Removes a record from a complete log, starts the process without snapshots and with an empty store, and waits
    /// until every reader of that partition has reported the loss.
    pub(super) fn lose_a_record(&mut self) -> Checked {
        let Some((topic_partition, offset)) = self.choose_record() else { return Ok(()) };
        self.note(format!("the log loses {topic_partition} offset {offset}"));
        self.kill();
        for (path, _) in self.disk.files() {
            if path.extension().is_some_and(|extension| extension == "snap")
                && self.disk.remove(&path).is_err()
            {
                return broken("a snapshot cannot be removed");
            }
        }
        self.database = Database::at(&self.disk, &self.world, "again.sqlite", 0.0, 0);
        self.start_over((topic_partition, offset))?;
        let (mut sink, mut runner) = (!is_events(topic_partition), false);
        for _ in 0..STEPS_MAX {
            if sink && runner {
                return Ok(());
            }
            let ready = self.executor.ready();
            if !ready.is_empty() {
                self.poll(&ready);
            } else if self.is_log_idle() {
                let Some(next) = self.world.next_deadline() else { break };
                self.world.advance_to(next.max(orderflow_world::World::instant(&self.world)));
            }
            while let Some(failure) = self.process.as_ref().and_then(Process::failure) {
                let names = failure.to_string().contains(&topic_partition.to_string());
                match failure {
                    Failure::Sink(_) => sink |= names,
                    Failure::Runner(_) => runner |= names,
                }
            }
        }
        let who = if sink { "its runner" } else { "the sink" };
        broken(format!("{topic_partition} has lost offset {offset}, and {who} has not noticed"))
    }

    fn start_over(&mut self, (topic_partition, offset): (TopicPartition, Offset)) -> Checked {
        self.mount = self.disk.mount();
        let Ok((log, steps)) = process::open(&self.parts().0, false) else {
            return broken("the log cannot be opened though all is well");
        };
        let Ok(sink) = self.database.open() else {
            return broken("a new database cannot be made though all is well");
        };
        let (seed, truth) = (self.rng.u64(..), self.truth.clone());
        let process = Process::start(self.parts().0, (log, steps), &truth, seed);
        process.wire.heal();
        process.wire.lose(topic_partition, offset);
        process.start_sink(&mut self.parts().0, sink);
        self.process = Some(process);
        Ok(())
    }

    /// A record whose loss every reader must notice: it has no repeat, and its source has numbered a later record.
    /// For a partition of commands, the last command must have an event, so that an event answers a command that the
    /// log no longer has.
    fn choose_record(&mut self) -> Option<(TopicPartition, Offset)> {
        let log = &self.process.as_ref()?.log;
        let begins = |topic_partition: &TopicPartition| {
            at_once(log.bounds(*topic_partition, Visibility::Durable)).map(|bounds| bounds.start)
        };
        if !self
            .partitions
            .iter()
            .all(|topic_partition| begins(topic_partition).is_ok_and(|start| start == Offset::ZERO))
        {
            return None;
        }
        let topic_partition = self.partitions[self.rng.usize(..self.partitions.len())];
        if topic_partition.topic == Topic::DeadLetters {
            return None;
        }
        let truth = lock(&self.truth);
        let records = truth.of(topic_partition);
        let last = Offset((records.len() as u64).checked_sub(1)?);
        if !is_events(topic_partition) && !self.checks.answers(topic_partition, last) {
            return None;
        }
        let candidates = candidates(records);
        let chosen = (!candidates.is_empty()).then(|| candidates[self.rng.usize(..candidates.len())])?;
        Some((topic_partition, Offset(chosen as u64)))
    }
}

fn is_events(topic_partition: TopicPartition) -> bool {
    matches!(topic_partition.topic, Topic::OrdersEvents | Topic::StockEvents)
}

fn candidates(records: &[Bytes]) -> Vec<usize> {
    let mut times: BTreeMap<&Bytes, usize> = BTreeMap::new();
    let mut last = BTreeMap::new();
    for (index, record) in records.iter().enumerate() {
        *times.entry(record).or_default() += 1;
        if let Ok(raw) = RawRecord::decode(record) {
            last.insert(raw.header.source, index);
        }
    }
    let is_followed = |(index, record): (usize, &Bytes)| {
        let source = RawRecord::decode(record).ok()?.header.source;
        (times[record] == 1 && last[&source] > index).then_some(index)
    };
    records.iter().enumerate().filter_map(is_followed).collect()
}
