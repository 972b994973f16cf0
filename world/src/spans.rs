//! Spans: the parts of a trace, as the W3C trace context and OpenTelemetry define them.
//!
//! A record carries the trace of the request it comes from, so every loop can report what it did for that request. The
//! binary decides where spans go, by installing one recorder. Without a recorder, and for traces that are not sampled,
//! a span costs one comparison. Nothing waits for a recorder.

use std::sync::OnceLock;

use orderflow_schemas::{Offset, Timestamp, TopicPartition, envelope::TraceParent};

/// The value of a fact about a piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Value {
    /// The number; a number beyond what an `i64` holds becomes the greatest.
    fn from(number: u64) -> Self {
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

/// A completed piece of work in a trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace, and the span in it that caused this one.
    pub parent: TraceParent,
    /// The span's own id; `None` to let the recorder choose one.
    pub id: Option<u64>,
    /// The name of the work: a verb and its object. There are few different names.
    pub name: &'static str,
    /// Whether the span is the whole work of a server for a client's request, rather than a part of it.
    pub is_server: bool,
    /// When the work began, by the wall clock.
    pub start: Timestamp,
    /// When the work ended, by the wall clock.
    pub end: Timestamp,
    /// Further facts about the work, as names and values.
    pub attributes: Vec<(&'static str, Value)>,
    /// Whether the work failed.
    pub failed: bool,
}

impl Span {
    /// A part of a request's work, which succeeded, about the records of a partition from an offset on.
    pub fn of_records(
        parent: TraceParent,
        name: &'static str,
        (start, end): (Timestamp, Timestamp),
        topic_partition: TopicPartition,
        offset: Offset,
    ) -> Self {
        let attributes = vec![
            ("messaging.destination.name", topic_partition.topic.as_str().into()),
            ("messaging.destination.partition.id", Value::Text(topic_partition.partition.to_string())),
            ("orderflow.offset", offset.0.into()),
        ];
        Self { parent, id: None, name, is_server: false, start, end, attributes, failed: false }
    }

    /// The span with one more attribute.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }
}

/// Receives completed spans.
///
/// *Order*: any.
/// *Loss*: a recorder that cannot keep up drops spans and counts them; it never waits.
/// *Concurrency*: many threads call it at the same time.
pub trait SpanRecorder: Send + Sync {
    /// Receives one completed span.
    fn record(&self, span: Span);
}

static RECORDER: OnceLock<Box<dyn SpanRecorder>> = OnceLock::new();

/// Sends all spans of the process to this recorder from now on. False if a recorder is already installed.
pub fn install(recorder: Box<dyn SpanRecorder>) -> bool {
    RECORDER.set(recorder).is_ok()
}

/// The trace context, if spans of its trace are recorded: there is a recorder, and the trace is sampled.
pub fn recorded(traceparent: Option<&TraceParent>) -> Option<&TraceParent> {
    traceparent.filter(|traceparent| RECORDER.get().is_some() && traceparent.is_sampled())
}

/// Passes a span to the recorder. The span is dropped if there is none.
pub fn record(span: Span) {
    if let Some(recorder) = RECORDER.get() {
        recorder.record(span);
    }
}
