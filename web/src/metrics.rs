//! The metrics of this crate.

use orderflow_world::metric::Metric;

/// Requests that were refused because their caller or address had sent too many.
pub const REQUESTS_LIMITED: Metric = Metric::counter(
    "orderflow_http_requests_limited_total",
    &["limit"],
    "requests answered 429 `too-many-requests`, by the limit: `client`, the requests of a caller, or `registration`, \
     the registrations of an address",
);

/// The metrics of this crate.
pub const METRICS: &[Metric] = &[REQUESTS_LIMITED];
