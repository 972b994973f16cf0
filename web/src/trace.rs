//! W3C trace context. A request's `traceparent` is taken from the client or created, passed to the request's records,
//! and sent back.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};
use orderflow_schemas::envelope::TraceParent;
use uuid::Uuid;

use crate::{
    Problem, headers,
    openapi::{Describe, Operation},
};

/// The header of the trace context, in requests and in responses.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace a request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(pub TraceParent);

impl Trace {
    /// The caller's trace, or a new one if the header is absent or malformed. `is_sampled` says whether a new trace is
    /// recorded.
    pub fn of(headers: &HeaderMap, is_sampled: bool) -> Self {
        // According to the W3C recommendation, a malformed header is ignored. So are two headers that differ.
        let given = headers::single(headers, &TRACEPARENT).ok().flatten();
        let given = given.filter(|text| !is_null(text)).and_then(TraceParent::parse);
        Self(given.unwrap_or_else(|| fresh(is_sampled)))
    }
}

/// Whether an id consists only of zeros, which the W3C recommendation makes invalid.
fn is_null(traceparent: &str) -> bool {
    let ids = [traceparent.get(3..35), traceparent.get(36..52)];
    ids.into_iter().flatten().any(|id| id.bytes().all(|byte| byte == b'0'))
}

fn fresh(is_sampled: bool) -> TraceParent {
    // The low half of a UUID is random; its variant bits keep it from being zero.
    let (_, parent) = Uuid::new_v4().as_u64_pair();
    TraceParent::new(Uuid::now_v7().as_u128(), parent, is_sampled)
}

impl<S: Send + Sync> FromRequestParts<S> for Trace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::of(&parts.headers, false)))
    }
}

impl Describe for Trace {
    fn describe(operation: &mut Operation<'_>) {
        let text = "The trace that the request belongs to, as in W3C Trace Context; it is in the records of the request. A \
                    malformed one is ignored.";
        operation.takes_header(&TRACEPARENT, schemars::json_schema!({ "type": "string" }), text);
    }
}
