//! Reading one's own writes: every write answers with a position, and a read that sends it back waits for it.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, request::Parts};
use orderflow_schemas::Position;

use crate::{Problem, headers};

/// The answer to a write says how far a reader must be to see it.
pub const POSITION: HeaderName = HeaderName::from_static("orderflow-position");
/// A read says how far it must be.
pub const MIN_POSITION: HeaderName = HeaderName::from_static("orderflow-min-position");

/// What the read must have seen: `Orderflow-Min-Position`, empty when absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MinPosition(pub Position);

impl<S: Send + Sync> FromRequestParts<S> for MinPosition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(text) = headers::single(&parts.headers, &MIN_POSITION)? else { return Ok(Self::default()) };
        match text.trim().parse() {
            Ok(position) => Ok(Self(position)),
            Err(error) => {
                Err(Problem::bad_request("invalid-position", format!("Orderflow-Min-Position is {error}")))
            }
        }
    }
}

/// A position as the value of a header.
pub fn header_value(position: &Position) -> HeaderValue {
    HeaderValue::try_from(position.to_string()).expect("positions are ASCII")
}

/// The answer, with `Orderflow-Position`.
pub fn with_position(position: &Position, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(POSITION, header_value(position));
    response
}
