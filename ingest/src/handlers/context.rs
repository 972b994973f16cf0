//! What every write takes from its headers, apart from its key and its conditions.

use axum::extract::FromRequestParts;
use http::request::Parts;
use orderflow_schemas::envelope::TraceParent;
use orderflow_web::{
    Prefer, Problem, Trace,
    openapi::{Describe, Operation},
};

/// The trace of a write, and how long its client waits for the decision.
#[derive(Clone, Debug)]
pub struct WriteContext {
    /// The trace that the command belongs to.
    pub trace: TraceParent,
    /// How long the client waits.
    pub prefer: Prefer,
}

impl<S: Send + Sync> FromRequestParts<S> for WriteContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Trace(trace) = Trace::from_request_parts(parts, state).await?;
        Ok(Self { trace, prefer: Prefer::from_request_parts(parts, state).await? })
    }
}

impl Describe for WriteContext {
    fn describe(operation: &mut Operation<'_>) {
        <(Trace, Prefer)>::describe(operation);
    }
}
