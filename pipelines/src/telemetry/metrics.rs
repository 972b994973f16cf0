//! The Prometheus recorder of the process, and the list of all metrics.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use orderflow_world::metric::{Kind, Metric, SECONDS};

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Seconds from the head of a request to the head of its response.
pub const HTTP_SECONDS: Metric = Metric::histogram(
    "orderflow_http_request_seconds",
    SECONDS,
    &["method", "route", "status"],
    "from a request's head to its response's head; `status` is its class, `none` if the client left before",
);
/// Open connections.
pub const CONNECTIONS: Metric = Metric::gauge(
    "orderflow_http_connections",
    &[],
    "open connections of the API, those in the reserve included",
);
/// Connections that were refused or closed because of a bound.
pub const CONNECTIONS_CUT: Metric = Metric::counter(
    "orderflow_http_connections_cut_total",
    &["reason"],
    "connections closed by a bound: `address`, too many of one address; `reserve-full`; `slow-head`, no complete head \
     in time; `silent`, no byte in 90 seconds",
);
/// Requests that are being answered.
pub const REQUESTS_IN_FLIGHT: Metric =
    Metric::gauge("orderflow_http_requests_in_flight", &[], "requests that are being answered");
/// Bytes of request bodies that are being received or decided.
pub const BYTES_IN_FLIGHT: Metric = Metric::gauge(
    "orderflow_http_bytes_in_flight",
    &[],
    "bytes that the bodies of requests in flight hold, or at most hold",
);
/// Requests that were refused before they were read.
pub const REQUESTS_SHED: Metric = Metric::counter(
    "orderflow_http_requests_shed_total",
    &["reason"],
    "requests answered 503 before their body was read, by the bound: `bytes`, `requests` or `connections`",
);
/// Log lines of this process that were dropped.
pub const LOG_LINES_DROPPED: Metric = Metric::counter(
    "orderflow_log_lines_dropped_total",
    &[],
    "lines on standard error that were dropped because whoever reads them is too slow",
);
/// Spans that were sent to the collector.
pub const SPANS_SENT: Metric =
    Metric::counter("orderflow_spans_sent_total", &[], "spans that the OpenTelemetry collector has accepted");
/// Spans that were dropped instead of sent.
pub const SPANS_DROPPED: Metric = Metric::counter(
    "orderflow_spans_dropped_total",
    &[],
    "spans that were dropped because the collector is away or too slow",
);
/// The version of the program, as a label.
pub const BUILD_INFO: Metric =
    Metric::gauge("orderflow_build_info", &["version"], "1; the version of the program");

/// The metrics of this crate.
const METRICS: &[Metric] = &[
    HTTP_SECONDS,
    CONNECTIONS,
    CONNECTIONS_CUT,
    REQUESTS_IN_FLIGHT,
    BYTES_IN_FLIGHT,
    REQUESTS_SHED,
    LOG_LINES_DROPPED,
    SPANS_SENT,
    SPANS_DROPPED,
    BUILD_INFO,
];

/// All metrics of the program, of all crates.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    let crates = [
        METRICS,
        orderflow_web::metrics::METRICS,
        orderflow_ingest::metrics::METRICS,
        orderflow_topics::metrics::METRICS,
        orderflow_runner::metrics::METRICS,
        orderflow_database::metrics::METRICS,
        orderflow_accounts::metrics::METRICS,
    ];
    crates.into_iter().flatten()
}

/// Installs the recorder; call it once a process. Without it, metrics cost nothing and `/metrics` is empty.
pub fn install() {
    let builder = all().fold(PrometheusBuilder::new(), |builder, metric| match metric.kind {
        Kind::Histogram(buckets) => builder
            .set_buckets_for_metric(Matcher::Full(metric.name.to_owned()), buckets)
            .expect("no histogram is without buckets"),
        Kind::Counter | Kind::Gauge => builder,
    });
    match builder.install_recorder() {
        Ok(handle) => drop(HANDLE.set(handle)),
        Err(error) => tracing::warn!(%error, "no metrics"),
    }
    for metric in all() {
        match metric.kind {
            Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
            Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
            Kind::Histogram(_) => metrics::describe_histogram!(metric.name, metric.help),
        }
    }
    metrics::gauge!(BUILD_INFO.name, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Folds the samples measured since the last call. Call it every few seconds; without it, samples would accumulate
/// between two scrapes.
pub fn upkeep() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

/// All metrics in the text format of Prometheus.
pub fn render() -> String {
    HANDLE.get().map(PrometheusHandle::render).unwrap_or_default()
}
