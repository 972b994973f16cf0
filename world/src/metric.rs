//! The metrics of this program: each is described once, in the crate that measures it.
//!
//! The binary joins the lists of all crates and registers the descriptions and the buckets. A test compares the list
//! with what the sources, the dashboard and the alerts name.

/// The description of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metric {
    /// The metric's name in the format of Prometheus.
    pub name: &'static str,
    /// Whether the metric is a counter, a gauge or a histogram.
    pub kind: Kind,
    /// The names of the metric's labels. Each label has few values.
    pub labels: &'static [&'static str],
    /// What the metric measures, as its help text.
    pub help: &'static str,
}

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A count that only increases.
    Counter,
    /// A value that can increase and decrease.
    Gauge,
    /// A distribution, counted in buckets with these upper bounds, so that the counts of several processes can be
    /// added.
    Histogram(&'static [f64]),
}

/// Buckets for durations in seconds: from 0.1 ms to a minute.
pub const SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
    30.0, 60.0,
];

/// Buckets for sizes in bytes: from 1 KiB to 64 MiB.
pub const BYTES: &[f64] =
    &[1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0, 4_194_304.0, 16_777_216.0, 67_108_864.0];

/// Buckets for numbers of records.
pub const RECORDS: &[f64] =
    &[1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0];

impl Metric {
    /// Describes a counter.
    pub const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Counter, labels, help }
    }

    /// Describes a gauge.
    pub const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind: Kind::Gauge, labels, help }
    }

    /// Describes a histogram with these upper bounds of its buckets.
    pub const fn histogram(
        name: &'static str,
        buckets: &'static [f64],
        labels: &'static [&'static str],
        help: &'static str,
    ) -> Self {
        Self { name, kind: Kind::Histogram(buckets), labels, help }
    }
}
