//! Who has which partitions: a process has the partitions whose processors its metrics report, and its sinks.

use orderflow_runner::metrics::SINK_LAG_RECORDS;
use orderflow_schemas::Topic;

use super::{
    partitions::numbers,
    topics::{is_commands, processed_partitions, series},
};
use crate::top::sample::Sample;

/// Topics and, of each, partitions in order.
pub type OwnedPartitions = Vec<(Topic, Vec<u16>)>;

/// A process and what it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Owner {
    /// The host and port of its metrics.
    pub name: String,
    /// The partitions whose processors it runs.
    pub partitions: OwnedPartitions,
    /// The sinks that it drives.
    pub sinks: Vec<String>,
}

impl Owner {
    /// Whether it runs the processor of this partition.
    pub fn has(&self, topic: Topic, number: u16) -> bool {
        self.partitions.iter().any(|(owned, numbers)| *owned == topic && numbers.contains(&number))
    }
}

/// The processes, and the partitions of commands that none of them has. Without metrics, both are unknown and empty.
pub(super) fn of(now: &Sample) -> (Vec<Owner>, OwnedPartitions) {
    let Some(process) = &now.metrics else { return Default::default() };
    let topics = || Topic::ALL.into_iter().filter(|topic| is_commands(*topic));
    let owned = topics().map(|topic| (topic, processed_partitions(now, topic).into_iter().collect()));
    let owner = Owner { name: process.name.clone(), partitions: not_empty(owned), sinks: sinks(now) };
    let not_owned = topics().map(|topic| {
        let numbers = numbers(now, topic).into_iter();
        (topic, numbers.filter(|number| !owner.has(topic, *number)).collect())
    });
    let not_owned = not_empty(not_owned);
    (vec![owner], not_owned)
}

fn not_empty(partitions: impl Iterator<Item = (Topic, Vec<u16>)>) -> OwnedPartitions {
    partitions.filter(|(_, numbers)| !numbers.is_empty()).collect()
}

fn sinks(now: &Sample) -> Vec<String> {
    let lags = series(now, SINK_LAG_RECORDS.name).iter();
    let mut sinks: Vec<_> = lags.filter_map(|series| series.label("sink")).map(str::to_owned).collect();
    sinks.sort();
    sinks
}
