//! The partitions of orders and of stock: each has one topic of commands, one of events and one processor.

use std::collections::BTreeSet;

use orderflow_runner::metrics::PROCESSOR_LAG_RECORDS;
use orderflow_schemas::Topic;

use super::{
    owners::Owner,
    topics::{is_of, kept, partition_of, processed_partitions, series},
};
use crate::top::{interval::Interval, sample::Sample};

/// What is partitioned, its commands and its events.
const PARTITIONED: [(&str, Topic, Topic); 2] = [
    ("orders", Topic::OrdersCommands, Topic::OrdersEvents),
    ("stock", Topic::StockCommands, Topic::StockEvents),
];

/// A partition of orders or of stock.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionRow {
    /// What it is a partition of.
    pub of: &'static str,
    /// Its number.
    pub number: u16,
    /// Commands a second that became durable.
    pub commands: Option<f64>,
    /// Events a second that became durable.
    pub events: Option<f64>,
    /// Commands that are not decided yet.
    pub lag: Option<f64>,
    /// What the processor keeps: names and numbers.
    pub kept: Vec<(&'static str, f64)>,
    /// The process that has its processor.
    pub owner: Option<String>,
}

/// The rows of all partitions.
pub(super) fn of(interval: Option<&Interval<'_>>, now: &Sample, owners: &[Owner]) -> Vec<PartitionRow> {
    let mut rows = Vec::new();
    for (of, commands, events) in PARTITIONED {
        for number in numbers(now, commands) {
            let appended = |topic| interval?.records(topic, |partition| partition == number);
            let mut lags = series(now, PROCESSOR_LAG_RECORDS.name).iter();
            let owner = owners.iter().find(|owner| owner.has(commands, number));
            rows.push(PartitionRow {
                of,
                number,
                commands: appended(commands),
                events: appended(events),
                lag: lags
                    .find(|series| is_of(series, commands) && partition_of(series) == Some(number))
                    .map(|series| series.value),
                kept: kept(now, commands, |partition| partition == number),
                owner: owner.map(|owner| owner.name.clone()),
            });
        }
    }
    rows
}

/// The partitions of a topic that the log or a processor has.
pub(super) fn numbers(now: &Sample, topic: Topic) -> BTreeSet<u16> {
    let listed = now.partitions.iter().flat_map(|partitions| partitions.keys());
    let listed = listed.filter(|(of, _)| *of == topic).map(|(_, number)| *number);
    listed.chain(processed_partitions(now, topic)).collect()
}
