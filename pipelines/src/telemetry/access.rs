//! Observation of one request: its ids and its result. Each request gives one log line, one measurement and, if its
//! trace is recorded, one span.
//!
//! *Request id*: the client's `X-Request-Id` if it is valid, otherwise a new one; the response carries it.
//! *Trace*: the client's `traceparent` or a new one. If its trace is recorded, the request becomes a span of it, and
//! the records that follow from the request name that span as their parent.
//! *Aborted requests*: a request whose client leaves before the response is logged without a status.
//! *Privacy*: the query and the body of a request are never logged.

use std::{sync::Arc, time::Instant};

use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use orderflow_schemas::{Timestamp, envelope::TraceParent};
use orderflow_web::{TRACEPARENT, Trace};
use orderflow_world::{
    spans::{self, Span},
    wall_clock,
};
use uuid::Uuid;

use super::{http_seconds, request_context::RequestContext};

/// The header with the id of a request, in requests and responses.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is accepted from a client, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// The target of the access lines, for log filters.
const TARGET: &str = "orderflow::access";

/// A request that is being answered.
pub struct RequestObserver {
    method: Method,
    uri: Uri,
    context: Arc<RequestContext>,
    /// The client's span, which is the parent of the request's span, and when the request began; only if the trace is
    /// recorded.
    recorded: Option<(TraceParent, Timestamp)>,
    started: Instant,
    is_over: bool,
}

impl RequestObserver {
    /// Begins to observe a request and gives it its [`Trace`]. Of 1,000 requests without a trace, `trace_per_mille`
    /// get one that is recorded.
    pub fn begin<B>(request: &mut Request<B>, trace_per_mille: u32) -> Self {
        let is_sampled = trace_per_mille > fastrand::u32(0..1_000);
        let Trace(given) = Trace::of(request.headers(), is_sampled);
        let (trace, recorded) = match spans::recorded(Some(&given)) {
            Some(_) => {
                let own = TraceParent::new(given.trace_id(), fastrand::u64(1..), true);
                (own, Some((given, wall_clock())))
            }
            None => (given, None),
        };
        request.extensions_mut().insert(Trace(trace.clone()));
        Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            context: RequestContext::new(request_id(request), trace),
            recorded,
            started: Instant::now(),
            is_over: false,
        }
    }

    /// The context that the request is answered in.
    pub fn context(&self) -> Arc<RequestContext> {
        self.context.clone()
    }

    /// Records the result of the request, and adds its ids to the response.
    pub fn end(mut self, mut response: Response) -> Response {
        self.report(Some(response.status()));
        let trace = HeaderValue::from_str(self.context.trace.as_str()).expect("a traceparent is ASCII");
        let headers = response.headers_mut();
        headers.insert(TRACEPARENT, trace);
        headers.insert(REQUEST_ID, self.context.request_id.clone());
        response
    }

    fn report(&mut self, status: Option<StatusCode>) {
        self.is_over = true;
        let elapsed = self.started.elapsed();
        let route = self.context.route().unwrap_or("none");
        http_seconds::record(&self.method, route, status, elapsed);
        let (method, path, us) = (self.method.as_str(), self.uri.path(), elapsed.as_micros() as u64);
        match status {
            Some(status) => {
                tracing::info!(target: TARGET, method, path, status = status.as_u16(), us, "request")
            }
            None => tracing::info!(target: TARGET, method, path, us, "request whose client has left"),
        }
        self.record_span(route, status);
    }

    fn record_span(&self, route: &str, status: Option<StatusCode>) {
        let Some((parent, start)) = self.recorded.clone() else { return };
        let mut attributes = vec![
            ("http.request.method", self.method.as_str().into()),
            ("http.route", route.into()),
            ("url.path", self.uri.path().into()),
            ("orderflow.request_id", self.context.request_id().into()),
        ];
        let status_code = status.map(|status| u64::from(status.as_u16()));
        attributes.extend(status_code.map(|code| ("http.response.status_code", code.into())));
        spans::record(Span {
            parent,
            id: Some(self.context.trace.span_id()),
            name: "answer request",
            is_server: true,
            start,
            end: wall_clock(),
            attributes,
            failed: status.is_none_or(|status| status.is_server_error()),
        });
    }
}

impl Drop for RequestObserver {
    fn drop(&mut self) {
        if !self.is_over {
            self.report(None);
        }
    }
}

/// The client's request id if it is safe in a log, otherwise a new one.
fn request_id<B>(request: &Request<B>) -> HeaderValue {
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/+=@".contains(byte);
    let given = request
        .headers()
        .get(REQUEST_ID)
        .filter(|id| (1..=REQUEST_ID_BYTES_MAX).contains(&id.len()) && id.as_bytes().iter().all(allowed));
    given.cloned().unwrap_or_else(|| {
        let mut text = Uuid::encode_buffer();
        HeaderValue::from_str(Uuid::now_v7().hyphenated().encode_lower(&mut text)).expect("a UUID is ASCII")
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn request(name: HeaderName, value: &[u8]) -> Request<Body> {
        let value = HeaderValue::from_bytes(value).unwrap();
        Request::builder().uri("/orders?secret=1").header(name, value).body(Body::empty()).unwrap()
    }

    #[test]
    fn an_id_that_can_stand_in_a_log_is_kept_and_others_are_replaced() {
        for id in ["a", "0190aaaa-0000-7000-8000-000000000001", "job/7:retry_2", &"x".repeat(128)] {
            assert_eq!(request_id(&request(REQUEST_ID, id.as_bytes())), id);
        }
        for id in ["", "a b", "a\"b", "caf\u{e9}", &"x".repeat(129)] {
            let made = request_id(&request(REQUEST_ID, id.as_bytes()));
            assert_eq!(made.len(), 36, "{id:?}");
        }
    }

    #[test]
    fn a_trace_without_a_recorder_is_passed_on_as_it_is() {
        let given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let mut request = request(TRACEPARENT, given.as_bytes());
        let observer = RequestObserver::begin(&mut request, 1_000);
        assert_eq!(request.extensions().get::<Trace>().unwrap().0.as_str(), given);
        let response = observer.end(Response::new(Body::empty()));
        assert_eq!(response.headers()[TRACEPARENT], given);
        assert!(response.headers().contains_key(REQUEST_ID));
    }
}
