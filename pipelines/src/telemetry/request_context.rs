//! The request that the current task answers: its ids, for every line that is logged meanwhile, and its route.
//!
//! A `tracing` span for each request would do the same, but costs every request a percent whether it logs or not.

use std::sync::{Arc, OnceLock};

use axum::extract::{MatchedPath, Request};
use http::HeaderValue;
use orderflow_schemas::envelope::TraceParent;

tokio::task_local! {
    /// The request that the current task answers.
    static CURRENT: Arc<RequestContext>;
}

/// What is known of a request besides its content.
#[derive(Debug)]
pub struct RequestContext {
    /// The id of the request: visible ASCII without quotes.
    pub request_id: HeaderValue,
    /// The request's span in its trace.
    pub trace: TraceParent,
    route: OnceLock<MatchedPath>,
}

impl RequestContext {
    /// The context of a request that is not routed yet.
    pub fn new(request_id: HeaderValue, trace: TraceParent) -> Arc<Self> {
        Arc::new(Self { request_id, trace, route: OnceLock::new() })
    }

    /// The route that matches the request, such as `/orders/{id}`.
    pub fn route(&self) -> Option<&str> {
        self.route.get().map(MatchedPath::as_str)
    }

    /// The id of the request as text.
    pub fn request_id(&self) -> &str {
        self.request_id.to_str().unwrap_or_default()
    }

    /// The id of its trace, in hex.
    pub fn trace_id(&self) -> &str {
        &self.trace.as_str()[3..35]
    }
}

/// Takes note of the route that the router has chosen for the request, if it has. Layers of a router call it.
pub fn note_route(request: Request) -> Request {
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        // Errors mean that nobody observes the request, or that the route is noted already.
        let _ = CURRENT.try_with(|context| context.route.set(route.clone()));
    }
    request
}

/// Runs a future whose log lines carry these ids.
pub async fn scope<F: Future>(context: Arc<RequestContext>, future: F) -> F::Output {
    CURRENT.scope(context, future).await
}

/// Calls a function whose log lines carry these ids.
pub fn sync_scope<T>(context: Arc<RequestContext>, function: impl FnOnce() -> T) -> T {
    CURRENT.sync_scope(context, function)
}

/// Adds the ids of the current request to a line, with these texts before, between and after them. Adds nothing outside
/// of a request.
pub fn write_current(line: &mut String, before: &str, between: &str, after: &str) {
    // An error means that there is no request.
    let _ = CURRENT.try_with(|context| {
        for part in [before, context.request_id(), between, context.trace_id(), after] {
            line.push_str(part);
        }
    });
}
