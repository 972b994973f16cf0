//! Latencies: percentiles of what was measured in an interval.

use std::collections::BTreeSet;

use orderflow_database::metrics::READ_SECONDS;
use orderflow_ingest::metrics::DECISION_SECONDS;
use orderflow_topics::metrics::SYNC_SECONDS;

use crate::{
    telemetry::metrics::HTTP_SECONDS,
    top::{
        exposition::Series,
        histogram::{Histogram, Percentile},
        interval::Interval,
    },
};

/// The routes that this screen asks all the time.
const OWN_ROUTES: [&str; 3] = ["/health", "/metrics", "/topics"];

/// How often something was measured, and the percentiles of the durations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// Measured durations a second.
    pub per_second: Option<f64>,
    /// Half of the durations are at most this long.
    pub p50: Option<Percentile>,
    /// 90 % of them.
    pub p90: Option<Percentile>,
    /// 99 % of them.
    pub p99: Option<Percentile>,
    /// 99.9 % of them.
    pub p999: Option<Percentile>,
}

/// A latency of the whole system.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedLatency {
    /// What took so long.
    pub name: &'static str,
    /// How long it took.
    pub latency: Latency,
}

/// The latency of a route of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteLatency {
    /// Method and path.
    pub route: String,
    /// Responses of the classes 4xx and 5xx a second.
    pub errors: Option<f64>,
    /// The latency.
    pub latency: Latency,
}

/// Whether a series of requests is of other clients than this screen.
pub(super) fn is_of_others(series: &Series) -> bool {
    series.label("route").is_none_or(|route| !OWN_ROUTES.contains(&route))
}

/// The latencies of the whole system.
pub(super) fn of(interval: Option<&Interval<'_>>) -> Vec<NamedLatency> {
    let measured = |name, metric, is_selected: fn(&Series) -> bool| NamedLatency {
        name,
        latency: Latency::of(interval, metric, is_selected),
    };
    vec![
        measured("decision", DECISION_SECONDS.name, |_| true),
        measured("HTTP", HTTP_SECONDS.name, is_of_others),
        measured("log sync", SYNC_SECONDS.name, |_| true),
        measured("reads", READ_SECONDS.name, |_| true),
    ]
}

/// The latencies of the routes that were used, the most used first.
pub(super) fn of_routes(interval: Option<&Interval<'_>>) -> Vec<RouteLatency> {
    let Some(interval) = interval else { return Vec::new() };
    let count = format!("{}_count", HTTP_SECONDS.name);
    let mut routes: Vec<_> = routes(interval, &count)
        .into_iter()
        .map(|(method, route)| {
            let is_it = |series: &Series| has(series, "method", &method) && has(series, "route", &route);
            let is_error = |series: &Series| has(series, "status", "4xx") || has(series, "status", "5xx");
            RouteLatency {
                route: format!("{method} {route}"),
                errors: interval.rate(&count, |series| is_it(series) && is_error(series)),
                latency: Latency::of(Some(interval), HTTP_SECONDS.name, is_it),
            }
        })
        .filter(|route| route.latency.per_second > Some(0.0))
        .collect();
    routes.sort_by(|a, b| {
        b.latency.per_second.partial_cmp(&a.latency.per_second).unwrap_or(std::cmp::Ordering::Equal)
    });
    routes
}

/// Method and path of all routes that were ever used by others.
fn routes(interval: &Interval<'_>, count: &str) -> BTreeSet<(String, String)> {
    let series = interval.series(count).iter().filter(|series| is_of_others(series));
    let label = |series: &Series, name| series.label(name).unwrap_or_default().to_owned();
    series.map(|series| (label(series, "method"), label(series, "route"))).collect()
}

fn has(series: &Series, label: &str, value: &str) -> bool {
    series.label(label) == Some(value)
}

impl Latency {
    /// The latency in the selected series of a histogram.
    pub(super) fn of(
        interval: Option<&Interval<'_>>,
        metric: &str,
        is_selected: impl Fn(&Series) -> bool,
    ) -> Self {
        let measured =
            interval.and_then(|interval| Some((interval, interval.histogram(metric, is_selected)?)));
        let Some((interval, histogram)) = measured else { return Self::default() };
        Self::of_histogram(&histogram, interval.duration().as_secs_f64())
    }

    fn of_histogram(histogram: &Histogram, seconds: f64) -> Self {
        Self {
            per_second: Some(histogram.count() / seconds),
            p50: histogram.percentile(0.5),
            p90: histogram.percentile(0.9),
            p99: histogram.percentile(0.99),
            p999: histogram.percentile(0.999),
        }
    }
}
