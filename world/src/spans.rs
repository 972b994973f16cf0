//! Spans: the parts of a trace, as the W3C trace context and OpenTelemetry define them.
//!
//! A record carries the trace of the request it comes from, so every loop can report what it did for that request. The
//! binary decides where spans go, by installing one recorder. Without a recorder, and for traces that are not sampled,
//! a span costs one comparison. Nothing waits for a recorder.

use std::sync::OnceLock;

use orderflow_schemas::{Timestamp, envelope::TraceParent};

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
    pub attributes: Vec<(&'static str, String)>,
    /// Whether the work failed.
    pub failed: bool,
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

/// Whether spans of this trace are recorded: there is a recorder, and the trace is sampled.
pub fn is_recorded(traceparent: Option<&TraceParent>) -> bool {
    RECORDER.get().is_some() && traceparent.is_some_and(TraceParent::is_sampled)
}

/// Passes a span to the recorder. The span is dropped if there is none.
pub fn record(span: Span) {
    if let Some(recorder) = RECORDER.get() {
        recorder.record(span);
    }
}
