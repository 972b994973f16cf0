//! The names of this crate's metrics.

/// Commands decided, repeats included, by topic.
pub const COMMANDS_DECIDED: &str = "orderflow_processor_commands_total";
/// Snapshots stored, by topic.
pub const SNAPSHOTS_STORED: &str = "orderflow_processor_snapshots_total";
/// What processors keep in memory, by topic and partition: this and the name of the count.
pub const PROCESSOR_PREFIX: &str = "orderflow_processor_";
/// Commands that could not be read and went to the dead letters, by topic.
pub const DEAD_LETTERS: &str = "orderflow_processor_dead_letters_total";
