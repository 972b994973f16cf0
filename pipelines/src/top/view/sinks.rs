//! The sinks: how fast they apply events, and how far behind they are.

use orderflow_runner::metrics::{
    APPLIED_RECORDS, APPLY_SECONDS, BATCH_RECORDS, RETRIES, SINK_DEAD_LETTERS, SINK_LAG_RECORDS,
};

use super::{latency::Latency, topics::series};
use crate::top::{exposition::Series, interval::Interval, sample::Sample};

/// A sink.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkRow {
    /// Its name.
    pub name: String,
    /// Events a second that it applied.
    pub applied: Option<f64>,
    /// Durable events that it has not applied.
    pub lag: f64,
    /// The mean number of events of a batch.
    pub batch_records: Option<f64>,
    /// How long it takes to apply a batch.
    pub apply: Latency,
    /// Repeated attempts since the process started.
    pub retries: f64,
    /// Events that became dead letters since the process started.
    pub dead_letters: f64,
}

/// The rows of all sinks, by name.
pub(super) fn of(interval: Option<&Interval<'_>>, now: &Sample) -> Vec<SinkRow> {
    let lags = series(now, SINK_LAG_RECORDS.name).iter();
    let named = lags.filter_map(|series| Some((series.label("sink")?, series.value)));
    let mut rows: Vec<_> = named.map(|(name, lag)| row(interval, now, name, lag)).collect();
    rows.sort_by(|a, b| a.name.cmp(&b.name));
    rows
}

fn row(interval: Option<&Interval<'_>>, now: &Sample, name: &str, lag: f64) -> SinkRow {
    let is_it = |series: &Series| series.label("sink") == Some(name);
    let total =
        |metric| series(now, metric).iter().filter(|series| is_it(series)).map(|series| series.value).sum();
    let rate = |metric: &str| interval.and_then(|interval| interval.rate(metric, is_it));
    let batches = rate(&format!("{}_count", BATCH_RECORDS.name)).filter(|rate| *rate > 0.0);
    let records = rate(&format!("{}_sum", BATCH_RECORDS.name));
    SinkRow {
        name: name.to_owned(),
        applied: rate(APPLIED_RECORDS.name),
        lag,
        batch_records: records.zip(batches).map(|(records, batches)| records / batches),
        apply: Latency::of(interval, APPLY_SECONDS.name, is_it),
        retries: total(RETRIES.name),
        dead_letters: total(SINK_DEAD_LETTERS.name),
    }
}
