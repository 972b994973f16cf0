//! The metrics of the loops.

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
/// Commands that are in the log and not decided, by partition.
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
/// The name of a gauge of a processor is this and the name of what it counts.
pub const PROCESSOR_PREFIX: &str = "orderflow_processor_";
/// Orders that are not in a final state.
pub const ACTIVE_ORDERS: Metric =
    Metric::gauge("orderflow_processor_active_orders", OF_PARTITION, "orders that are not in a final state");
/// SKUs that a stock processor knows.
pub const SKUS: Metric =
    Metric::gauge("orderflow_processor_skus", OF_PARTITION, "SKUs with stock or a catalogue entry");
/// Reservations that are not resolved.
pub const RESERVATIONS: Metric = Metric::gauge(
    "orderflow_processor_reservations",
    OF_PARTITION,
    "reservations that are neither shipped nor released",
);
/// Idempotency keys that are remembered.
pub const IDEMPOTENCY_KEYS: Metric = Metric::gauge(
    "orderflow_processor_idempotency_keys",
    OF_PARTITION,
    "idempotency keys that are remembered",
);
/// Idempotency keys that were forgotten before their time.
pub const KEYS_CROWDED_OUT: Metric = Metric::gauge(
    "orderflow_processor_idempotency_keys_crowded_out",
    OF_PARTITION,
    "idempotency keys forgotten before their 24 hours, since the log began",
);
/// Records that a sink has passed.
pub const APPLIED_RECORDS: Metric =
    Metric::counter("orderflow_sink_applied_records_total", OF_SINK, "events that the sink has passed");
/// Records that became dead letters.
pub const SINK_DEAD_LETTERS: Metric =
    Metric::counter("orderflow_sink_dead_letters_total", OF_SINK, "events that became dead letters");
/// Attempts that the store refused and that were made again.
pub const RETRIES: Metric = Metric::counter(
    "orderflow_sink_retries_total",
    OF_SINK,
    "attempts that the store refused and that are repeated",
);
/// Records of a batch.
pub const BATCH_RECORDS: Metric =
    Metric::histogram("orderflow_sink_batch_records", RECORDS, OF_SINK, "records of a batch");
/// How long a batch took.
pub const APPLY_SECONDS: Metric =
    Metric::histogram("orderflow_sink_apply_seconds", SECONDS, OF_SINK, "duration of applying a batch");
/// Durable records that the sink has not applied.
pub const SINK_LAG_RECORDS: Metric = Metric::gauge(
    "orderflow_sink_lag_records",
    OF_SINK,
    "durable events that are not applied, as of the last batch or attempt",
);

/// All of them.
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
    APPLIED_RECORDS,
    SINK_DEAD_LETTERS,
    RETRIES,
    BATCH_RECORDS,
    APPLY_SECONDS,
    SINK_LAG_RECORDS,
];
