//! The settings of the loops that run processors.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a processor is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RunnerSettings {
    /// Commands between two snapshots, more if the state is large. A start after a crash folds about as many events.
    #[schemars(range(min = 1), extend("x-flag" = "snapshot-every"))]
    pub snapshot_every: u64,
    /// The longest time between two snapshots if anything was decided. The log keeps what no snapshot covers.
    #[schemars(range(min = 1))]
    pub snapshot_within_s: u64,
    /// Bytes of commands that are read and decided at once.
    #[schemars(range(min = 1))]
    pub read_bytes: usize,
    /// Bytes of decisions after which they are appended. A log must accept these and the output of one command at once.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub append_bytes: usize,
    /// The pause before an append is tried again.
    #[schemars(range(min = 1))]
    pub retry_after_ms: u64,
    /// How long a processor waits for room in a full log before it gives up what it has decided since the last
    /// snapshot, to decide it again: a snapshot of what is in the log may free room.
    #[schemars(range(min = 1))]
    pub full_within_s: u64,
}

impl Default for RunnerSettings {
    fn default() -> Self {
        Self {
            snapshot_every: 100_000,
            snapshot_within_s: 60,
            read_bytes: 128 << 10,
            append_bytes: 256 << 10,
            retry_after_ms: 100,
            full_within_s: 5,
        }
    }
}

impl RunnerSettings {
    /// The longest time between two snapshots if anything was decided.
    pub(super) fn snapshot_within(&self) -> Duration {
        Duration::from_secs(self.snapshot_within_s)
    }

    /// The pause before an append is tried again.
    pub(super) fn retry_after(&self) -> Duration {
        Duration::from_millis(self.retry_after_ms)
    }

    /// How long to wait for space in a full log before giving way.
    pub(super) fn full_within(&self) -> Duration {
        Duration::from_secs(self.full_within_s)
    }
}
