//! What a write's headers ask for: `Idempotency-Key`, `Prefer`, `If-Match`. What a call cannot do is refused, and never
//! promised in silence.

use axum::extract::FromRequestParts;
use http::{HeaderName, header, request::Parts};
use orderflow_schemas::IdempotencyKey;

use crate::{Problem, etag::Tags, headers};

/// Makes a repeat harmless.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The answer is that of an earlier request.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// How the client would like to be answered.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// Which wishes were granted.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// `Idempotency-Key`, on a call that takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(pub Option<IdempotencyKey>);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = headers::single(&parts.headers, &IDEMPOTENCY_KEY)?;
        let invalid = |error| {
            let detail = format!("the header Idempotency-Key {error}");
            Problem::bad_request("invalid-idempotency-key", detail)
        };
        key.map(IdempotencyKey::new).transpose().map(Self).map_err(invalid)
    }
}

/// Whether the client would rather not wait for the decision: `Prefer: respond-async`, RFC 7240.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RespondAsync(pub bool);

impl<S: Send + Sync> FromRequestParts<S> for RespondAsync {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let lines = headers::lines(&parts.headers, &PREFER)?;
        let mut preferences = lines.iter().flat_map(|line| line.split(','));
        let is_async = preferences.any(|preference| {
            let name = preference.split(';').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("respond-async")
        });
        Ok(Self(is_async))
    }
}

/// The versions in `If-Match`; `None` if any will do. `If-None-Match` is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfMatch(pub Option<Vec<u64>>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        refuse(&[header::IF_NONE_MATCH], parts)?;
        Ok(Self(Tags::if_match(&parts.headers)?.and_then(Tags::strong)))
    }
}

/// A call that takes no `Idempotency-Key`: 400 if it is there. Calls that only read repeat it harmlessly.
#[derive(Clone, Copy, Debug)]
pub struct NoKey;

impl<S: Send + Sync> FromRequestParts<S> for NoKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        refuse(&[IDEMPOTENCY_KEY], parts).map(|()| Self)
    }
}

/// A call that takes no condition: 400 if there is one.
#[derive(Clone, Copy, Debug)]
pub struct NoConditions;

impl<S: Send + Sync> FromRequestParts<S> for NoConditions {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        refuse(&[header::IF_MATCH, header::IF_NONE_MATCH], parts).map(|()| Self)
    }
}

fn refuse(names: &[HeaderName], parts: &Parts) -> Result<(), Problem> {
    match names.iter().find(|name| parts.headers.contains_key(*name)) {
        Some(name) => {
            Err(headers::invalid(name, "is not taken by this call, and would promise what is not done"))
        }
        None => Ok(()),
    }
}
