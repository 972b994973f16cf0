//! The ids of the request that the current task answers, for every line that is logged meanwhile.
//!
//! A `tracing` span for each request would do the same, but costs every request a percent whether it logs or not.

use std::sync::Arc;

use http::HeaderValue;
use orderflow_schemas::envelope::TraceParent;

tokio::task_local! {
    /// The ids of the request that the current task answers.
    static CURRENT: Arc<RequestIds>;
}

/// The ids of a request.
#[derive(Debug)]
pub struct RequestIds {
    /// The id of the request: visible ASCII without quotes.
    pub request_id: HeaderValue,
    /// The request's span in its trace.
    pub trace: TraceParent,
}

impl RequestIds {
    /// The id of the request as text.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// The id of its trace, in hex.
    pub fn trace_id(&self) -> &str {
        &self.trace.as_str()[3..35]
    }
}

/// Runs a future whose log lines carry these ids.
pub async fn scope<F: Future>(ids: Arc<RequestIds>, future: F) -> F::Output {
    CURRENT.scope(ids, future).await
}

/// Calls a function whose log lines carry these ids.
pub fn sync_scope<T>(ids: Arc<RequestIds>, function: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(ids, function)
}

/// Adds the ids of the current request to a line, with these texts before, between and after them. Adds nothing outside
/// of a request.
pub fn write_current(line: &mut String, before: &str, between: &str, after: &str) {
    // An error means that there is no request.
    let _ = CURRENT.try_with(|ids| {
        for part in [before, ids.request_id(), between, ids.trace_id(), after] {
            line.push_str(part);
        }
    });
}
