//! JSON bodies, strictly: the content type, the size, the syntax and every field are checked, and an error points
//! at the field it is about.
//!
//! The happy path parses once. Only a body that failed is parsed again, with its path tracked.

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::IntoResponse,
};
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::{FieldError, Problem};

/// A body of JSON. Its size is bounded by axum's `DefaultBodyLimit` of the route.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_media_type(request.headers(), "application/json")?;
        parse(&read(request, state).await?).map(Self)
    }
}

/// A body of JSON, or none at all.
#[derive(Clone, Copy, Debug)]
pub struct OptionalJson<T>(pub Option<T>);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = require_media_type(request.headers(), "application/json");
        let body = read(request, state).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        media_type?;
        parse(&body).map(|value| Self(Some(value)))
    }
}

/// 415 unless the content type is this one, whatever its parameters.
pub fn require_media_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    let detail = format!("the body must be sent as Content-Type: {wanted}");
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", detail))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::too_large("body-too-large", "the body is larger than is taken here")
        } else {
            Problem::bad_request("body-incomplete", "the body ended before it was complete")
        }
    })
}

/// Characters of a caller's own words that a pointer repeats.
const POINTER_CHARS_MAX: usize = 200;
/// Characters of a caller's own words that a detail repeats.
const DETAIL_CHARS_MAX: usize = 300;

/// Reads JSON; the problem of an invalid field points at it.
pub fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(json).map_err(|error| explain::<T>(json, &error))
}

/// Why `json` is no `T`: parses again, slowly, to learn where.
#[cold]
fn explain<T: DeserializeOwned>(json: &[u8], error: &serde_json::Error) -> Problem {
    if !error.is_data() {
        let detail = format!("the body is not JSON: {error}");
        return Problem::bad_request("malformed-json", clip(&detail, DETAIL_CHARS_MAX));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) => Problem::invalid(vec![field_error(error.path(), &error.inner().to_string())]),
        Ok(_) => Problem::invalid(vec![FieldError::new("", clip(&error.to_string(), DETAIL_CHARS_MAX))]),
    }
}

fn field_error(path: &Path, message: &str) -> FieldError {
    let mut pointer = pointer(path);
    if let Some(name) = between(message, "missing field `", '`') {
        pointer.push('/');
        pointer.push_str(&escape(name));
    }
    // Where in the text it was is of no use to a program that has the pointer.
    let detail = message.split(" at line ").next().unwrap_or(message);
    FieldError::new(clip(&pointer, POINTER_CHARS_MAX), clip(detail, DETAIL_CHARS_MAX))
}

/// The beginning of a text that a caller may have made as long as a body.
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

/// A key as a part of a JSON pointer.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
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
        lines: Vec<Inner>,
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
            (r#"[1]"#, "invalid-request", Some("/0")),
        ] {
            let problem = parse::<Outer>(json.as_bytes()).unwrap_err();
            assert_eq!(problem.slug(), slug, "{json}");
            assert_eq!(problem.errors().first().map(|error| error.pointer.as_str()), pointer, "{json}");
        }
    }
}
