//! The preconditions in a write's headers: `Idempotency-Key`, `If-Match`. A key or a condition that a call cannot honour
//! is refused and never silently ignored.

use axum::extract::{FromRequestParts, MatchedPath};
use compact_str::{CompactString, format_compact};
use http::{HeaderName, StatusCode, header, request::Parts};
use orderflow_schemas::{
    IdempotencyKey,
    commands::{ChangeKey, Fingerprint},
};
use schemars::json_schema;

use crate::{
    Problem,
    etag::Tags,
    headers,
    openapi::{Describe, Operation},
};

/// The request header `Idempotency-Key`: a repeat with the same key is harmless.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The response header that marks the response to a repeat: it is that of the earlier request.
pub const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The value of `Idempotency-Key`, for a call that accepts the header.
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

/// The value of `Idempotency-Key`, and the call that it came with, which is part of the key's scope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallKey {
    /// The key, if the request has one.
    pub key: Option<IdempotencyKey>,
    /// The method of the request and the path of its route, such as `PATCH /orders/{id}/status`.
    pub call: CompactString,
}

impl CallKey {
    /// The key of a change with this content.
    pub fn of_change(self, fingerprint: impl FnOnce() -> Fingerprint) -> Option<ChangeKey> {
        let Self { key, call } = self;
        key.map(|key| ChangeKey { key, call, fingerprint: fingerprint() })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CallKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Key(key) = Key::from_request_parts(parts, state).await?;
        let path = parts.extensions.get::<MatchedPath>().map_or(parts.uri.path(), MatchedPath::as_str);
        Ok(Self { key, call: format_compact!("{} {path}", parts.method) })
    }
}

/// The versions in `If-Match`; `None` if any version is acceptable. `If-None-Match` is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IfMatch(pub Option<Vec<u64>>);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        refuse(&[header::IF_NONE_MATCH], parts)?;
        Ok(Self(Tags::if_match(&parts.headers)?.and_then(Tags::strong)))
    }
}

/// Marks a call that accepts no `Idempotency-Key`: 400 if the header is present. Calls that only read are harmless to
/// repeat anyway.
#[derive(Clone, Copy, Debug)]
pub struct NoKey;

impl<S: Send + Sync> FromRequestParts<S> for NoKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        refuse(&[IDEMPOTENCY_KEY], parts).map(|()| Self)
    }
}

/// Marks a call that accepts no `If-Match` and no `If-None-Match`: 400 if either header is present.
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

impl Describe for Key {
    fn describe(operation: &mut Operation<'_>) {
        let text = "A name for this request, new for each order or change. A repeat with the same name and the same content \
                    has no further effect and gets the same status; the answer then has `Idempotent-Replayed: true`.";
        let schema =
            json_schema!({ "type": "string", "minLength": 1, "maxLength": 255, "format": "idempotency-key" });
        operation
            .takes_header(&IDEMPOTENCY_KEY, schema, text)
            .fails(StatusCode::BAD_REQUEST, "invalid-idempotency-key")
            .fails(StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused");
    }
}

impl Describe for CallKey {
    fn describe(operation: &mut Operation<'_>) {
        Key::describe(operation);
    }
}

impl Describe for IfMatch {
    fn describe(operation: &mut Operation<'_>) {
        let text = "`*`, or the ETags of the versions of the order that may be changed, RFC 9110.";
        operation
            .takes_header(&header::IF_MATCH, json_schema!({ "type": "string", "format": "etags" }), text)
            .fails(StatusCode::BAD_REQUEST, "invalid-if-match")
            .fails(StatusCode::PRECONDITION_FAILED, "stale-version");
    }
}

impl Describe for NoKey {}
impl Describe for NoConditions {}
