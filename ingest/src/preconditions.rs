//! What a write's headers ask for: `Idempotency-Key`, `Prefer`, `If-Match`.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use orderflow_schemas::IdempotencyKey;

use crate::{http::Problem, validate};

/// Makes a repeat harmless.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The answer is that of an earlier request.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How the client would like to be answered.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Which wishes were granted.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// What a write's headers ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preconditions {
    /// `Idempotency-Key`.
    pub key: Option<IdempotencyKey>,
    /// `Prefer: respond-async`.
    pub respond_async: bool,
    /// The version in `If-Match`.
    pub if_version: Option<u64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Preconditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let headers = &parts.headers;
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let key = headers.get(IDEMPOTENCY_KEY).map(|value| validate::idempotency_key(&text(value)));
        let if_version = headers.get(header::IF_MATCH).map(|value| validate::if_match(&text(value)));
        Ok(Self {
            key: key.transpose()?,
            respond_async: prefers_async(headers),
            if_version: if_version.transpose()?.flatten(),
        })
    }
}

fn prefers_async(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.any(|preference| {
        let name = preference.split(';').next().unwrap_or_default();
        name.trim().eq_ignore_ascii_case("respond-async")
    })
}
