//! Strict JSON bodies: the content type, the size, the syntax and every field are checked, and an error points at its
//! field.
//!
//! A valid body is parsed once. Only a body that failed is parsed a second time, with its path tracked.

use std::{error::Error, fmt, iter::successors};

use axum::{
    body::{self, Bytes, HttpBody},
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use crate::{
    Coding, FieldError, Object, Problem, headers,
    openapi::{Describe, Operation},
};

/// The most bytes of a body after decompression. A layer puts it into a request's extensions. Default: 1 MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

impl Default for BodyLimit {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// The error of a body that does not arrive in time. It becomes 408 `body-too-slow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooSlow;

impl fmt::Display for TooSlow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body did not arrive in time")
    }
}

impl Error for TooSlow {}

/// A JSON body, with or without a content coding. [`BodyLimit`] bounds its size.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        require_media_type(request.headers(), "application/json")?;
        parse(&read(request).await?).map(Self)
    }
}

/// A JSON body that may be absent.
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(None));
        }
        let media_type = require_media_type(request.headers(), "application/json");
        let body = read(request).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        media_type?;
        parse(&body).map(|value| Self(Some(value)))
    }
}

/// 415 unless the content type is `wanted`. Parameters of the content type are ignored.
pub fn require_media_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Problem> {
    let given = headers::single(headers, &header::CONTENT_TYPE)?.unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let detail = format!("the body must be sent as Content-Type: {wanted}");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
}

/// The whole body, decompressed.
async fn read(request: Request) -> Result<Bytes, Problem> {
    let BodyLimit(bytes_max) = request.extensions().get().copied().unwrap_or_default();
    let coding = Coding::of(request.headers())?;
    let body = request.into_body();
    // No coding makes a body twice as long. A body that is refused here is not read: a client that sent `Expect:
    // 100-continue` need not send it.
    let sent_max = if coding == Coding::Identity { bytes_max } else { bytes_max.saturating_mul(2) };
    if body.size_hint().lower() > sent_max as u64 {
        return Err(too_large());
    }
    body::to_bytes(coding.decode(body), bytes_max).await.map_err(|error| {
        let causes = || successors(error.source(), |cause| (**cause).source());
        if causes().any(|cause| cause.is::<LengthLimitError>()) {
            return too_large();
        }
        if causes().any(|cause| cause.is::<TooSlow>()) {
            return Problem::new(StatusCode::REQUEST_TIMEOUT, "body-too-slow", TooSlow.to_string());
        }
        let detail = match coding {
            Coding::Identity => "the body ended before it was complete",
            Coding::Gzip | Coding::Zstd => "the body ended before it was complete, or cannot be decompressed",
        };
        Problem::bad_request("body-incomplete", detail)
    })
}

fn too_large() -> Problem {
    Problem::too_large("body-too-large", "the body is larger than is taken here")
}

/// The most characters of the caller's own text that a JSON pointer repeats.
const POINTER_CHARS_MAX: usize = 200;
/// The most characters of the caller's own text that an explanation repeats.
const DETAIL_CHARS_MAX: usize = 300;

/// Parses a JSON object. The problem of an invalid field points at that field.
pub fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    let read: Result<Object<T>, _> = serde_json::from_slice(json);
    read.map(|Object(value)| value).map_err(|error| explain::<T>(json, &error))
}

/// The reason why `json` is not a `T`. Parses again, more slowly, to find the field.
#[cold]
fn explain<T: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        let detail = format!("the body is not JSON: {error}");
        return Problem::bad_request("malformed-json", clip(&detail, DETAIL_CHARS_MAX));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    match serde_path_to_error::deserialize::<_, Object<T>>(&mut deserializer) {
        Err(error) => Problem::invalid(vec![field_error(error.path(), &error.inner().to_string())]),
        Ok(_) => Problem::invalid(vec![FieldError::new("", clip(&error.to_string(), DETAIL_CHARS_MAX))]),
    }
}

fn field_error(path: &Path, message: &str) -> FieldError {
    let mut pointer = pointer(path);
    // To the parser, a missing and a duplicate field are errors of the object as a whole.
    let member =
        between(message, "missing field `", '`').or_else(|| between(message, "duplicate field `", '`'));
    if let Some(name) = member {
        pointer.push('/');
        pointer.push_str(&escape(name));
    }
    // The position in the text is of no use to a program that has the pointer.
    let detail = in_words_of_json(message.split(" at line ").next().unwrap_or(message));
    FieldError::new(clip(&pointer, POINTER_CHARS_MAX), clip(&detail, DETAIL_CHARS_MAX))
}

/// The parser's message, with its names for kinds of values replaced by those of JSON.
fn in_words_of_json(message: &str) -> String {
    let message = message
        .strip_suffix("expected a sequence")
        .map_or(message.into(), |start| format!("{start}expected an array"));
    for (kind, name) in [("sequence", "array"), ("map", "object"), ("floating point", "number")] {
        let found = message.strip_prefix("invalid type: ").and_then(|found| found.strip_prefix(kind));
        if let Some(rest) = found {
            return format!("invalid type: {name}{rest}");
        }
    }
    message
}

/// The beginning of a text, since a caller may have made it as long as a body.
fn clip(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn between<'a>(text: &'a str, before: &str, after: char) -> Option<&'a str> {
    text.strip_prefix(before)?.split(after).next()
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Map { key } => pointer = format!("{pointer}/{}", escape(key)),
            Segment::Seq { index } => pointer = format!("{pointer}/{index}"),
            Segment::Enum { variant } => pointer = format!("{pointer}/{}", escape(variant)),
            Segment::Unknown => {}
        }
    }
    pointer
}

/// An object key, escaped as a part of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

impl<T: JsonSchema> Describe for Json<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.takes::<T>(true);
        describe_failures(operation);
    }
}

impl<T: JsonSchema> Describe for OptionalJson<T> {
    fn describe(operation: &mut Operation<'_>) {
        operation.takes::<T>(false);
        describe_failures(operation);
    }
}

fn describe_failures(operation: &mut Operation<'_>) {
    operation
        .fails(StatusCode::BAD_REQUEST, "malformed-json")
        .fails(StatusCode::BAD_REQUEST, "invalid-request")
        .fails(StatusCode::BAD_REQUEST, "body-incomplete")
        .fails(StatusCode::REQUEST_TIMEOUT, "body-too-slow")
        .fails(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large")
        .fails(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type")
        .fails(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding");
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn what_a_problem_repeats_of_the_body_is_short() {
        let body = format!(r#"{{"{}":1}}"#, "a".repeat(100_000));
        let problem = parse::<Outer>(body.as_bytes()).expect_err("there is no such field");
        let FieldError { pointer, detail } = &problem.errors()[0];
        assert!(pointer.chars().count() <= 201 && detail.chars().count() <= 301, "{pointer} {detail}");
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Outer {
        lines: Vec<Object<Inner>>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read")]
    struct Inner {
        sku: String,
    }

    #[test]
    fn errors_point_at_their_field() {
        for (json, slug, pointer) in [
            (r#"{"lines":"#, "malformed-json", None),
            ("", "malformed-json", None),
            (r#"{"lines":[]} x"#, "malformed-json", None),
            (r#"{}"#, "invalid-request", Some("/lines")),
            (r#"{"lines":[{}]}"#, "invalid-request", Some("/lines/0/sku")),
            (r#"{"lines":[{"sku":"a"},{"sku":1}]}"#, "invalid-request", Some("/lines/1/sku")),
            (r#"{"lines":[],"a/b":1}"#, "invalid-request", Some("/a~1b")),
            (r#"{"lines":[],"lines":[]}"#, "invalid-request", Some("/lines")),
            (r#"{"lines":[{"sku":"a","sk\u0075":"a"}]}"#, "invalid-request", Some("/lines/0/sku")),
            (r#"{"lines":{}}"#, "invalid-request", Some("/lines")),
            (r#"{"lines":[["a"]]}"#, "invalid-request", Some("/lines/0")),
            (r#"[[{"sku":"a"}]]"#, "invalid-request", Some("")),
            (r#"[1]"#, "invalid-request", Some("")),
            ("null", "invalid-request", Some("")),
            ("7", "invalid-request", Some("")),
        ] {
            let problem = parse::<Outer>(json.as_bytes()).unwrap_err();
            assert_eq!(problem.slug(), slug, "{json}");
            assert_eq!(problem.errors().first().map(|error| error.pointer.as_str()), pointer, "{json}");
            for word in ["struct", "Outer", "Inner", "sequence", "map", "unit", "tuple"] {
                assert!(!problem.detail().contains(word), "{json}: {problem}");
            }
        }
    }
}
