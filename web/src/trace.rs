//! W3C trace context: a request's `traceparent` is taken or made, given to its records and sent back.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, request::Parts};
use orderflow_schemas::envelope::TraceParent;
use uuid::Uuid;

use crate::{Problem, headers};

/// The header, in and out.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace a request belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(pub TraceParent);

impl Trace {
    /// The caller's trace, or a new one where there is none or a malformed one; `is_sampled` says whether a new one is
    /// recorded.
    pub fn of(headers: &HeaderMap, is_sampled: bool) -> Self {
        // One that is malformed counts for nothing, says the recommendation, and so do two that differ.
        let given = headers::single(headers, &TRACEPARENT).ok().flatten();
        let given = given.filter(|text| !is_null(text)).and_then(TraceParent::parse);
        Self(given.unwrap_or_else(|| fresh(is_sampled)))
    }
}

/// An id of nothing but zeros is invalid, says the W3C recommendation.
fn is_null(traceparent: &str) -> bool {
    let ids = [traceparent.get(3..35), traceparent.get(36..52)];
    ids.into_iter().flatten().any(|id| id.bytes().all(|byte| byte == b'0'))
}

fn fresh(is_sampled: bool) -> TraceParent {
    // The low half of a second UUID is its random part; its variant bits keep it from being zero.
    let (trace, parent) = (Uuid::now_v7().as_u128(), Uuid::now_v7().as_u128() as u64);
    TraceParent::new(trace, parent, is_sampled)
}

impl<S: Send + Sync> FromRequestParts<S> for Trace {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.unwrap_or_else(|| Self::of(&parts.headers, false)))
    }
}
