//! The metrics of this crate.

use orderflow_world::metric::Metric;

/// Entries of the list of revocations in memory.
pub const REVOCATIONS: Metric = Metric::gauge(
    "orderflow_accounts_revocations",
    &[],
    "revoked tokens and accounts that this process refuses",
);
/// When the store was read last.
pub const READ_AT: Metric = Metric::gauge(
    "orderflow_accounts_read_timestamp_seconds",
    &[],
    "when the store of accounts was last read, in seconds since 1970",
);
/// Attempts to log in and to authenticate.
pub const LOGINS: Metric = Metric::counter(
    "orderflow_accounts_logins_total",
    &["outcome"],
    "log-ins of people and requests of clients for tokens, by `ok` and `refused`",
);

/// Requests that wait for a hash.
pub const HASHES_WAITING: Metric = Metric::gauge(
    "orderflow_accounts_hashes_waiting",
    &[],
    "passwords that wait to be hashed or checked, as of the last look at the store",
);

/// The metrics of this crate.
pub const METRICS: &[Metric] = &[REVOCATIONS, READ_AT, LOGINS, HASHES_WAITING];
