//! Spans: the parts of a trace, as the W3C trace context and OpenTelemetry define them.
//!
//! A record carries the trace of the request it comes from, so every loop can say what it did for that request. Where
//! the spans go is the business of the binary, which installs one recorder; without it, and for traces that are not
//! sampled, a span costs a comparison. Nothing waits for a recorder.

use std::sync::OnceLock;

use orderflow_schemas::{Timestamp, envelope::TraceParent};

/// A piece of work that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The trace, and the span within it that caused this one.
    pub parent: TraceParent,
    /// Its own id; a new one if it has none.
    pub id: Option<u64>,
    /// What was done: few values, each a verb and its object.
    pub name: &'static str,
    /// Whether it is the work of a server for a client, and not a part of that.
    pub is_server: bool,
    /// When it began.
    pub start: Timestamp,
    /// When it was over.
    pub end: Timestamp,
    /// What else is known.
    pub attributes: Vec<(&'static str, String)>,
    /// Whether it failed.
    pub failed: bool,
}

/// Takes spans that are over.
///
/// *Order*: any. *Loss*: one that cannot keep up drops spans and counts them; it never waits. *Concurrency*: called from
/// many threads at once.
pub trait SpanRecorder: Send + Sync {
    /// Takes a span.
    fn record(&self, span: Span);
}

static RECORDER: OnceLock<Box<dyn SpanRecorder>> = OnceLock::new();

/// Sends all spans of the process to this recorder from now on. False if there is one already.
pub fn install(recorder: Box<dyn SpanRecorder>) -> bool {
    RECORDER.set(recorder).is_ok()
}

/// Whether spans of this trace are recorded.
pub fn is_recorded(traceparent: Option<&TraceParent>) -> bool {
    RECORDER.get().is_some() && traceparent.is_some_and(TraceParent::is_sampled)
}

/// Records a span. It is dropped if nobody takes spans.
pub fn record(span: Span) {
    if let Some(recorder) = RECORDER.get() {
        recorder.record(span);
    }
}
