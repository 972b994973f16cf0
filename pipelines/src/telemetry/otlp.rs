//! Sends spans to an OpenTelemetry collector, by OTLP over HTTP.
//!
//! *Bound*: spans wait in a queue. Spans that do not fit are dropped and counted.
//! *Order*: none.
//! *Failures*: a batch that the collector does not accept is dropped and counted. The log reports when such failures
//! begin and when they end. Nothing else waits for the collector or fails because of it.

use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use opentelemetry::{
    InstrumentationScope, KeyValue, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, SpanKind, Status, TraceState},
};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks},
};
use orderflow_schemas::Timestamp;
use orderflow_world::spans::{self, Span, SpanRecorder, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    TelemetrySettings,
    metrics::{SPANS_DROPPED, SPANS_SENT},
};

/// The largest number of spans in one batch.
const BATCH_MAX: usize = 512;
/// How long spans are collected before a batch is sent.
const GATHER: Duration = Duration::from_secs(1);
/// The longest time that sending a batch may take.
const SEND_WITHIN: Duration = Duration::from_secs(5);

/// The recorder that puts spans into the queue.
struct Queue(mpsc::Sender<Span>);

impl SpanRecorder for Queue {
    fn record(&self, span: Span) {
        if self.0.try_send(span).is_err() {
            metrics::counter!(SPANS_DROPPED.name).increment(1);
        }
    }
}

/// The task that sends the queued spans.
pub struct SpanSender {
    spans: mpsc::Receiver<Span>,
    exporter: SpanExporter,
    scope: InstrumentationScope,
    /// Whether the collector did not accept the last batch.
    is_away: bool,
}

/// Records traces from now on if a collector is configured. The caller must run the returned sender.
pub fn install(settings: &TelemetrySettings) -> Result<Option<SpanSender>> {
    let Some(endpoint) = &settings.otlp_endpoint else { return Ok(None) };
    let is_http = endpoint.parse::<http::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http"));
    ensure!(is_http, "--otlp-endpoint must be a URL such as http://127.0.0.1:4318");
    let mut exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(HyperClient::with_default_connector(SEND_WITHIN, None))
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
        .build()
        .context("traces cannot be sent to --otlp-endpoint")?;
    let service = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    exporter
        .set_resource(&Resource::builder().with_service_name("orderflow").with_attribute(service).build());
    let (sender, spans) = mpsc::channel(settings.spans_max);
    ensure!(spans::install(Box::new(Queue(sender))), "traces are recorded once a process");
    let scope = InstrumentationScope::builder("orderflow").build();
    Ok(Some(SpanSender { spans, exporter, scope, is_away: false }))
}

impl SpanSender {
    /// Sends spans until `stop`, and then the spans recorded before it.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        while stop.run_until_cancelled(self.gather(&mut batch)).await.is_some() {
            self.send(&mut batch).await;
        }
        self.spans.close();
        while !batch.is_empty() || self.spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            self.send(&mut batch).await;
        }
    }

    /// Waits for spans until [`GATHER`] has passed or a batch is full. If this future is dropped, the collected spans
    /// stay in `batch`.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        let Some(first) = self.spans.recv().await else { return std::future::pending().await };
        batch.push(first);
        let more = async {
            while batch.len() < BATCH_MAX {
                let Some(span) = self.spans.recv().await else { return };
                batch.push(span);
            }
        };
        // Either the batch is full, or the time is over.
        let _ = tokio::time::timeout(GATHER, more).await;
    }

    /// Sends the spans of a batch and empties it.
    async fn send(&mut self, batch: &mut Vec<Span>) {
        let count = batch.len() as u64;
        let data = batch.drain(..).map(|span| self.data_of(span)).collect();
        match self.exporter.export(data).await {
            Ok(()) => {
                metrics::counter!(SPANS_SENT.name).increment(count);
                if self.is_away {
                    tracing::info!("the OpenTelemetry collector takes traces again");
                }
                self.is_away = false;
            }
            Err(error) => {
                metrics::counter!(SPANS_DROPPED.name).increment(count);
                if !self.is_away {
                    tracing::warn!(%error, "the OpenTelemetry collector does not take traces; they are dropped");
                }
                self.is_away = true;
            }
        }
    }

    fn data_of(&self, span: Span) -> SpanData {
        let id = span.id.unwrap_or_else(|| fastrand::u64(1..));
        let trace = TraceId::from(span.parent.trace_id());
        let attributes = span.attributes.into_iter();
        SpanData {
            span_context: SpanContext::new(
                trace,
                SpanId::from(id),
                TraceFlags::SAMPLED,
                false,
                TraceState::NONE,
            ),
            parent_span_id: SpanId::from(span.parent.span_id()),
            parent_span_is_remote: span.is_server,
            span_kind: if span.is_server { SpanKind::Server } else { SpanKind::Internal },
            name: span.name.into(),
            start_time: system_time(span.start),
            end_time: system_time(span.end),
            attributes: attributes.map(|(name, value)| KeyValue::new(name, otlp_value(value))).collect(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: if span.failed { Status::error("") } else { Status::Unset },
            instrumentation_scope: self.scope.clone(),
        }
    }
}

fn otlp_value(value: Value) -> opentelemetry::Value {
    match value {
        Value::Text(text) => text.into(),
        Value::Number(number) => number.into(),
    }
}

fn system_time(time: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(time.as_micros()).unwrap_or(0))
}
