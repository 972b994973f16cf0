//! The variable part of a path, if it has one.

use axum::extract::{FromRequestParts, Path, path::ErrorKind, rejection::PathRejection};
use http::request::Parts;

use crate::Problem;

/// 400 `invalid-path`: names the part of the path that is not UTF-8 after percent-decoding.
pub fn not_text(rejection: &PathRejection) -> Problem {
    let part = match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => match failed.kind() {
            ErrorKind::InvalidUtf8InPathParam { key } => format!("the part `{key}` of the path"),
            _ => "the path".to_owned(),
        },
        _ => "the path".to_owned(),
    };
    Problem::bad_request("invalid-path", format!("{part} is not UTF-8 once it is decoded"))
}

fn has_no_part(rejection: &PathRejection) -> bool {
    match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => {
            matches!(failed.kind(), ErrorKind::WrongNumberOfParameters { got: 0, .. })
        }
        PathRejection::MissingPathParams(_) => true,
        _ => false,
    }
}

/// The one variable part of a path, percent-decoded. In a route without a variable part, such as `/products/batch`, it
/// is the last part as written: the fixed word may also be a SKU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPart(pub String);

impl<S: Send + Sync> FromRequestParts<S> for PathPart {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(part)) => Ok(Self(part)),
            Err(error) if has_no_part(&error) => {
                let (_, last) = parts.uri.path().rsplit_once('/').unwrap_or_default();
                Ok(Self(last.to_owned()))
            }
            Err(error) => Err(not_text(&error)),
        }
    }
}
