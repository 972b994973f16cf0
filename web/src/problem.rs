//! Errors as clients see them: RFC 9457 problem details with a stable slug as their `type`.
//!
//! A problem is built where the failure is understood, and rendered in one place, by [`IntoResponse`]. A 5xx contains
//! nothing internal: [`Problem::internal`] writes the cause to the program's log instead.

use std::{borrow::Cow, fmt, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::Scope;

/// The error of one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// RFC 6901 JSON pointer to the field.
    pub pointer: String,
    /// The explanation, as a sentence whose subject is the field.
    pub detail: String,
}

impl FieldError {
    /// The error of the field at `pointer`.
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), detail: detail.into() }
    }
}

/// An error response. Its content is boxed, so that results stay small.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    slug: Cow<'static, str>,
    detail: String,
    errors: Vec<FieldError>,
    members: Map<String, Value>,
    headers: HeaderMap,
}

impl Problem {
    /// A problem with this status, stable slug and explanation.
    pub fn new(status: StatusCode, slug: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self(Box::new(Parts {
            status,
            slug: slug.into(),
            detail: detail.into(),
            errors: Vec::new(),
            members: Map::new(),
            headers: HeaderMap::new(),
        }))
    }

    /// 400: the request is malformed or invalid.
    pub fn bad_request(slug: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, slug, detail)
    }

    /// 400 `invalid-request`: these fields are wrong.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            several => format!("{} fields are not valid", several.len()),
        };
        Self::bad_request("invalid-request", detail).with_errors(errors)
    }

    /// 401 `unauthenticated`, with the `WWW-Authenticate` challenge that a client expects.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"orderflow\""))
    }

    /// 401 `invalid-token`: the token is not valid, or not any more, with the challenge of RFC 6750, section 3.1.
    pub fn invalid_token(detail: impl Into<String>) -> Self {
        let challenge = "Bearer realm=\"orderflow\", error=\"invalid_token\"";
        Self::new(StatusCode::UNAUTHORIZED, "invalid-token", detail)
            .with_header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// 403 `forbidden`: the caller may not do this.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 403 `insufficient-scope`: the caller's token lacks this scope, with the challenge of RFC 6750, section 3.1.
    pub fn insufficient_scope(scope: Scope) -> Self {
        let name = scope.as_str();
        let challenge = format!("Bearer realm=\"orderflow\", error=\"insufficient_scope\", scope=\"{name}\"");
        let challenge = HeaderValue::try_from(challenge).expect("scopes are ASCII");
        let detail = format!("this needs a token with the scope {name}");
        Self::new(StatusCode::FORBIDDEN, "insufficient-scope", detail)
            .with_header(header::WWW_AUTHENTICATE, challenge)
    }

    /// 404: the object does not exist, or not for this caller.
    pub fn not_found(slug: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, slug, detail)
    }

    /// 409: the request conflicts with the current state.
    pub fn conflict(slug: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, slug, detail)
    }

    /// 413: the request is larger than the server accepts.
    pub fn too_large(slug: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, slug, detail)
    }

    /// 429 with `Retry-After`, in whole seconds.
    pub fn too_many_requests(
        slug: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
        retry_after: Duration,
    ) -> Self {
        let seconds = retry_after.as_millis().div_ceil(1_000).max(1);
        let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
        Self::new(StatusCode::TOO_MANY_REQUESTS, slug, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// 503 with `Retry-After`: the request may succeed after `retry_after_s` seconds.
    pub fn unavailable(
        slug: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
        retry_after_s: u32,
    ) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, slug, detail)
            .with_header(header::RETRY_AFTER, HeaderValue::from(retry_after_s))
    }

    /// 500 `internal`: the cause goes to the program's log; the client learns only that the fault is the server's.
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(cause = %cause, "a request failed for an internal reason");
        let detail = "the request failed for an internal reason; it has been logged";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
    }

    /// Adds the error of one more field.
    #[must_use]
    pub fn with_error(mut self, pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        self.0.errors.push(FieldError::new(pointer, detail));
        self
    }

    /// Adds the errors of more fields.
    #[must_use]
    pub fn with_errors(mut self, errors: impl IntoIterator<Item = FieldError>) -> Self {
        self.0.errors.extend(errors);
        self
    }

    /// Adds an extension member, such as `order` or `allowed`. A value that has no JSON form becomes null.
    #[must_use]
    pub fn with_member(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.0.members.insert(name.to_owned(), value);
        self
    }

    /// Adds a response header, or replaces it.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The HTTP status of the response.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The stable slug of the problem, such as `out-of-stock`.
    pub fn slug(&self) -> &str {
        &self.0.slug
    }

    /// The explanation of the problem for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The errors of the request's fields.
    pub fn errors(&self) -> &[FieldError] {
        &self.0.errors
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.slug, self.0.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Parts { status, slug, detail, errors, members, headers } = *self.0;
        let mut document = Map::new();
        document.insert("type".into(), json!(slug));
        document.insert("title".into(), json!(title(&slug)));
        document.insert("status".into(), json!(status.as_u16()));
        document.insert("detail".into(), json!(detail));
        if !errors.is_empty() {
            document.insert("errors".into(), json!(errors));
        }
        document.extend(members);
        let mut response = Response::new(Body::from(Value::Object(document).to_string()));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        let problem_json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem_json);
        response
    }
}

/// A slug as a title: `out-of-stock` becomes "Out of stock".
pub(crate) fn title(slug: &str) -> String {
    let mut title = slug.replace('-', " ");
    if let Some(first) = title.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    title
}
