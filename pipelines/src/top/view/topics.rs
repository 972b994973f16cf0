//! The topics of the log: how fast they grow, and how far behind their processors are.

use std::collections::BTreeSet;

use orderflow_runner::metrics::{ACTIVE_ORDERS, COMMANDS_DECIDED, PROCESSOR_LAG_RECORDS, RESERVATIONS, SKUS};
use orderflow_schemas::Topic;

use crate::top::{
    exposition::Series,
    interval::Interval,
    sample::{Offsets, Sample},
};

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicRow {
    /// The topic.
    pub topic: Topic,
    /// The number of its partitions.
    pub partitions: Option<usize>,
    /// Records that are in it.
    pub records: Option<u64>,
    /// Records a second that became durable.
    pub appended: Option<f64>,
    /// Of a topic of commands: commands a second that processors decided.
    pub decided: Option<f64>,
    /// Of a topic of commands: commands that are not decided yet.
    pub lag: Option<Lag>,
    /// What the processors keep: names and numbers.
    pub kept: Vec<(&'static str, f64)>,
}

/// How many records are waiting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lag {
    /// In all partitions.
    pub total: f64,
    /// In the partition that has the most.
    pub largest: f64,
}

/// The rows of all topics.
pub(super) fn of(interval: Option<&Interval<'_>>, now: &Sample) -> Vec<TopicRow> {
    Topic::ALL.into_iter().map(|topic| row(interval, now, topic)).collect()
}

fn row(interval: Option<&Interval<'_>>, now: &Sample, topic: Topic) -> TopicRow {
    let offsets: Option<Vec<&Offsets>> = now.partitions.as_ref().map(|partitions| {
        let of_topic = partitions.iter().filter(|((of, _), _)| *of == topic);
        of_topic.map(|(_, offsets)| offsets).collect()
    });
    let processed = processed_partitions(now, topic);
    let listed = offsets.as_ref().map(Vec::len);
    let records = |offsets: &Vec<&Offsets>| {
        offsets.iter().map(|offsets| offsets.durable_end.saturating_sub(offsets.start)).sum()
    };
    TopicRow {
        topic,
        partitions: listed.or((!processed.is_empty()).then_some(processed.len())),
        records: offsets.as_ref().map(records),
        appended: interval.and_then(|interval| interval.records(topic, |_| true)),
        decided: interval
            .filter(|_| is_commands(topic))
            .and_then(|interval| interval.rate(COMMANDS_DECIDED.name, |series| is_of(series, topic))),
        lag: lag(now, topic),
        kept: kept(now, topic, |_| true),
    }
}

/// Whether processors read this topic.
pub(super) fn is_commands(topic: Topic) -> bool {
    matches!(topic, Topic::OrdersCommands | Topic::StockCommands)
}

/// Whether a series is of this topic.
pub(super) fn is_of(series: &Series, topic: Topic) -> bool {
    series.label("topic") == Some(topic.as_str())
}

/// The partition that a series is of.
pub(super) fn partition_of(series: &Series) -> Option<u16> {
    series.label("partition")?.parse().ok()
}

/// The partitions of a topic for which the process reports a processor.
pub(super) fn processed_partitions(now: &Sample, topic: Topic) -> BTreeSet<u16> {
    let lags = series(now, PROCESSOR_LAG_RECORDS.name).iter().filter(|series| is_of(series, topic));
    lags.filter_map(partition_of).collect()
}

/// What the processors of the selected partitions keep.
pub(super) fn kept(
    now: &Sample,
    topic: Topic,
    is_selected: impl Fn(u16) -> bool,
) -> Vec<(&'static str, f64)> {
    let gauges = [("active", ACTIVE_ORDERS), ("SKUs", SKUS), ("reserved", RESERVATIONS)];
    let sum = |name| {
        let of_topic = series(now, name).iter().filter(|series| is_of(series, topic));
        let selected: Vec<_> = of_topic
            .filter(|series| partition_of(series).is_some_and(&is_selected))
            .map(|series| series.value)
            .collect();
        (!selected.is_empty()).then(|| selected.iter().sum())
    };
    gauges.into_iter().filter_map(|(name, metric)| Some((name, sum(metric.name)?))).collect()
}

fn lag(now: &Sample, topic: Topic) -> Option<Lag> {
    let lags = series(now, PROCESSOR_LAG_RECORDS.name).iter().filter(|series| is_of(series, topic));
    let lags: Vec<f64> = lags.map(|series| series.value).collect();
    let largest = lags.iter().copied().reduce(f64::max)?;
    Some(Lag { total: lags.iter().sum(), largest })
}

/// The series of a sample with this name.
pub(super) fn series<'a>(now: &'a Sample, name: &str) -> &'a [Series] {
    now.metrics.as_ref().map_or(&[], |process| process.metrics.named(name))
}
