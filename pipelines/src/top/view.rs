//! What the screen shows, computed from two samples. Pure: the same samples give the same view.
//!
//! `None` is what is not known: a rate before the second sample, or what the server did not answer.

mod latency;
mod owners;
mod partitions;
mod rates;
mod sinks;
#[cfg(test)]
pub mod tests;
mod topics;

use std::time::Duration;

pub use self::{
    latency::{Latency, NamedLatency, RouteLatency},
    owners::{OwnedPartitions, Owner},
    partitions::PartitionRow,
    rates::Rates,
    sinks::SinkRow,
    topics::TopicRow,
};
use super::{
    interval::Interval,
    sample::{Health, Sample},
};

/// The figures of one screen.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// The version of the server.
    pub version: Option<String>,
    /// The health of the system and of its parts.
    pub health: Health,
    /// How long the interval of the rates is; `None` if there are no rates yet.
    pub interval: Option<Duration>,
    /// Rates of the whole system.
    pub rates: Rates,
    /// Latencies of the whole system.
    pub latencies: Vec<NamedLatency>,
    /// The topics of the log.
    pub topics: Vec<TopicRow>,
    /// The sinks.
    pub sinks: Vec<SinkRow>,
    /// Who has which partitions and sinks.
    pub owners: Vec<Owner>,
    /// Partitions of commands for which no process reports a processor.
    pub not_owned: OwnedPartitions,
    /// The partitions of orders and of stock.
    pub partitions: Vec<PartitionRow>,
    /// The routes that were used in the interval, the most used first.
    pub routes: Vec<RouteLatency>,
    /// Why something is missing, one sentence each.
    pub notes: Vec<String>,
}

impl View {
    /// The view of the newest sample, with rates since the one before it.
    pub fn of(before: Option<&Sample>, now: &Sample) -> Self {
        let interval = before.and_then(|before| Interval::between(before, now));
        let interval = interval.as_ref();
        let (owners, not_owned) = owners::of(now);
        Self {
            version: version(now),
            health: now.health.clone(),
            interval: interval.map(Interval::duration),
            rates: Rates::of(interval),
            latencies: latency::of(interval),
            topics: topics::of(interval, now),
            sinks: sinks::of(interval, now),
            partitions: partitions::of(interval, now, &owners),
            owners,
            not_owned,
            routes: latency::of_routes(interval),
            notes: now.notes.clone(),
        }
    }
}

fn version(sample: &Sample) -> Option<String> {
    let metrics = &sample.metrics.as_ref()?.metrics;
    let info = metrics.named(crate::telemetry::metrics::BUILD_INFO.name).first()?;
    info.label("version").map(str::to_owned)
}
