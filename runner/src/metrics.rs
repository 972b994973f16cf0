//! The metrics of the loops.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use orderflow_schemas::TopicPartition;
use orderflow_world::metric::{Metric, RECORDS, SECONDS};

const OF_TOPIC: &[&str] = &["topic"];
const OF_PARTITION: &[&str] = &["topic", "partition"];
const OF_SINK: &[&str] = &["sink"];

/// Commands decided, repeats included, by topic.
pub const COMMANDS_DECIDED: Metric = Metric::counter(
    "orderflow_processor_commands_total",
    OF_TOPIC,
    "commands that processors decided, repeats included",
);
/// Commands in the log that are not decided yet, by partition.
pub const PROCESSOR_LAG_RECORDS: Metric = Metric::gauge(
    "orderflow_processor_lag_records",
    OF_PARTITION,
    "commands in the log that are not decided yet",
);
/// Snapshots stored, by topic.
pub const SNAPSHOTS_STORED: Metric =
    Metric::counter("orderflow_processor_snapshots_total", OF_TOPIC, "snapshots stored");
/// Commands that could not be read, by topic.
pub const PROCESSOR_DEAD_LETTERS: Metric = Metric::counter(
    "orderflow_processor_dead_letters_total",
    OF_TOPIC,
    "commands that could not be read and became dead letters",
);
/// The prefix of the name of each gauge of a processor; the name of what the gauge counts follows.
pub const PROCESSOR_PREFIX: &str = "orderflow_processor_";
/// Orders that are not in a final state, by partition.
pub const ACTIVE_ORDERS: Metric =
    Metric::gauge("orderflow_processor_active_orders", OF_PARTITION, "orders that are not in a final state");
/// SKUs with stock or a catalogue entry, by partition.
pub const SKUS: Metric =
    Metric::gauge("orderflow_processor_skus", OF_PARTITION, "SKUs with stock or a catalogue entry");
/// Reservations that are neither shipped nor released, by partition.
pub const RESERVATIONS: Metric = Metric::gauge(
    "orderflow_processor_reservations",
    OF_PARTITION,
    "reservations that are neither shipped nor released",
);
/// Idempotency keys of placed orders that are remembered, by partition.
pub const IDEMPOTENCY_KEYS: Metric = Metric::gauge(
    "orderflow_processor_idempotency_keys",
    OF_PARTITION,
    "idempotency keys of placed orders that are remembered",
);
/// Idempotency keys of placed orders that were forgotten before their 24 hours, since the log began, by partition.
pub const KEYS_CROWDED_OUT: Metric = Metric::gauge(
    "orderflow_processor_idempotency_keys_crowded_out",
    OF_PARTITION,
    "idempotency keys of placed orders forgotten before their 24 hours, since the log began",
);
/// Idempotency keys of all other writes that are remembered, by partition.
pub const CHANGE_KEYS: Metric = Metric::gauge(
    "orderflow_processor_change_keys",
    OF_PARTITION,
    "idempotency keys of all other writes that are remembered",
);
/// Idempotency keys of all other writes that were forgotten before their 24 hours, since the log began, by partition.
pub const CHANGE_KEYS_CROWDED_OUT: Metric = Metric::gauge(
    "orderflow_processor_change_keys_crowded_out",
    OF_PARTITION,
    "idempotency keys of all other writes forgotten before their 24 hours, since the log began",
);
/// Events that the sink's checkpoint has passed, dead letters included.
pub const APPLIED_RECORDS: Metric =
    Metric::counter("orderflow_sink_applied_records_total", OF_SINK, "events that the sink has passed");
/// Events that became dead letters of the sink.
pub const SINK_DEAD_LETTERS: Metric =
    Metric::counter("orderflow_sink_dead_letters_total", OF_SINK, "events that became dead letters");
/// Attempts that the store refused and that are repeated.
pub const RETRIES: Metric = Metric::counter(
    "orderflow_sink_retries_total",
    OF_SINK,
    "attempts that the store refused and that are repeated",
);
/// Number of records of each applied batch.
pub const BATCH_RECORDS: Metric =
    Metric::histogram("orderflow_sink_batch_records", RECORDS, OF_SINK, "records of a batch");
/// Duration of applying each batch, in seconds.
pub const APPLY_SECONDS: Metric =
    Metric::histogram("orderflow_sink_apply_seconds", SECONDS, OF_SINK, "duration of applying a batch");
/// Durable events that the sink has not applied, as of the last batch or attempt.
pub const SINK_LAG_RECORDS: Metric = Metric::gauge(
    "orderflow_sink_lag_records",
    OF_SINK,
    "durable events that are not applied, as of the last batch or attempt",
);

/// All metrics of this crate.
pub const METRICS: &[Metric] = &[
    COMMANDS_DECIDED,
    PROCESSOR_LAG_RECORDS,
    SNAPSHOTS_STORED,
    PROCESSOR_DEAD_LETTERS,
    ACTIVE_ORDERS,
    SKUS,
    RESERVATIONS,
    IDEMPOTENCY_KEYS,
    KEYS_CROWDED_OUT,
    CHANGE_KEYS,
    CHANGE_KEYS_CROWDED_OUT,
    APPLIED_RECORDS,
    SINK_DEAD_LETTERS,
    RETRIES,
    BATCH_RECORDS,
    APPLY_SECONDS,
    SINK_LAG_RECORDS,
];

/// The metrics of one runner, looked up once.
pub(crate) struct RunnerMetrics {
    pub(crate) commands_decided: Counter,
    pub(crate) lag_records: Gauge,
    labels: [(&'static str, String); 2],
    /// The gauges of the processor, in the order in which it reports them.
    gauges: Vec<Gauge>,
}

impl RunnerMetrics {
    pub(crate) fn new(input: TopicPartition) -> Self {
        let labels = [("topic", input.topic.to_string()), ("partition", input.partition.to_string())];
        Self {
            commands_decided: counter!(COMMANDS_DECIDED.name, "topic" => input.topic.as_str()),
            lag_records: gauge!(PROCESSOR_LAG_RECORDS.name, &labels),
            labels,
            gauges: Vec::new(),
        }
    }

    /// Sets the gauges of the processor. `values` must have the same names in the same order at each call.
    pub(crate) fn set_gauges(&mut self, values: Vec<(&'static str, u64)>) {
        for (name, _) in values.iter().skip(self.gauges.len()) {
            self.gauges.push(gauge!(format!("{PROCESSOR_PREFIX}{name}"), &self.labels));
        }
        for (gauge, (_, value)) in self.gauges.iter().zip(values) {
            gauge.set(value as f64);
        }
    }
}

/// The metrics of one sink's driver, looked up once.
pub(crate) struct SinkMetrics {
    pub(crate) applied_records: Counter,
    pub(crate) batch_records: Histogram,
    pub(crate) apply_seconds: Histogram,
    pub(crate) lag_records: Gauge,
}

impl SinkMetrics {
    pub(crate) fn new(sink: &'static str) -> Self {
        Self {
            applied_records: counter!(APPLIED_RECORDS.name, "sink" => sink),
            batch_records: histogram!(BATCH_RECORDS.name, "sink" => sink),
            apply_seconds: histogram!(APPLY_SECONDS.name, "sink" => sink),
            lag_records: gauge!(SINK_LAG_RECORDS.name, "sink" => sink),
        }
    }
}
