//! Rates of the whole system.

use orderflow_ingest::metrics::COMMANDS;
use orderflow_topics::metrics::{APPENDED_BYTES, APPENDED_RECORDS};
use orderflow_web::metrics::REQUESTS_LIMITED;

use super::latency::is_of_others;
use crate::{
    telemetry::metrics::{HTTP_SECONDS, REQUESTS_SHED},
    top::interval::Interval,
};

/// Rates a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Orders placed by clients, in single requests and in batches.
    pub orders_placed: Option<f64>,
    /// Commands of clients, those orders included.
    pub client_commands: Option<f64>,
    /// Requests, without those of this screen.
    pub requests: Option<f64>,
    /// Of them, those answered with a status of the class 4xx.
    pub client_errors: Option<f64>,
    /// Of them, those answered with a status of the class 5xx.
    pub server_errors: Option<f64>,
    /// Requests refused because of a limit or a bound.
    pub refused: Option<f64>,
    /// Records that became durable.
    pub records: Option<f64>,
    /// Bytes that became durable.
    pub bytes: Option<f64>,
}

impl Rates {
    /// The rates in an interval.
    pub(super) fn of(interval: Option<&Interval<'_>>) -> Self {
        let Some(interval) = interval else { return Self::default() };
        let total = |name| interval.rate(name, |_| true);
        let requests = format!("{}_count", HTTP_SECONDS.name);
        let with_status = |class| {
            interval.rate(&requests, |series| is_of_others(series) && series.label("status") == Some(class))
        };
        let refused = total(REQUESTS_LIMITED.name).zip(total(REQUESTS_SHED.name));
        Self {
            orders_placed: interval.rate(COMMANDS.name, |series| series.label("type") == Some("order.place")),
            client_commands: total(COMMANDS.name),
            requests: interval.rate(&requests, is_of_others),
            client_errors: with_status("4xx"),
            server_errors: with_status("5xx"),
            refused: refused.map(|(limited, shed)| limited + shed),
            records: total(APPENDED_RECORDS.name),
            bytes: total(APPENDED_BYTES.name),
        }
    }
}
