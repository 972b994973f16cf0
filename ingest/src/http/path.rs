//! The variable part of a path, where there is one.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::Problem;

/// The one variable part of a path, percent-decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPart(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPart {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(_) => Err(Problem::bad_request("invalid-path", "the path is not UTF-8 once it is decoded")),
        }
    }
}
