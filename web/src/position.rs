//! Reading one's own writes: the response to every write has a position, and a read that sends the position back waits
//! for it.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, request::Parts};
use orderflow_schemas::Position;

use crate::{
    Problem, headers,
    openapi::{Describe, Operation},
};

/// The header of a response to a write: the position that a reader must have reached to see the write.
pub const POSITION: HeaderName = HeaderName::from_static("orderflow-position");
/// The header of a read: the position that the read must have reached.
pub const MIN_POSITION: HeaderName = HeaderName::from_static("orderflow-min-position");

/// The position that the read must have reached: `Orderflow-Min-Position`. Empty when the header is absent.
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

/// The response with `Orderflow-Position` added.
pub fn with_position(position: &Position, answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(POSITION, header_value(position));
    response
}

impl Describe for MinPosition {
    fn describe(operation: &mut Operation<'_>) {
        let text =
            "The `Orderflow-Position` of an earlier write: the answer shows at least what that write did.";
        let schema = schemars::json_schema!({ "type": "string", "format": "position" });
        operation
            .takes_header(&MIN_POSITION, schema, text)
            .fails(StatusCode::BAD_REQUEST, "invalid-position");
    }
}
