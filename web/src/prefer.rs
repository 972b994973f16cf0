//! The request header `Prefer`, RFC 7240: how long a client wants to wait for a decision.
//!
//! Two preferences are understood: `respond-async` and `wait`. As the RFC demands, unknown and malformed ones are
//! ignored, and of a preference that is there twice the first one counts.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::{HeaderName, HeaderValue, request::Parts};

use crate::{
    Problem, headers,
    openapi::{Describe, Operation},
};

/// The request header that states how the client prefers to be answered.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// The response header that names the preferences that were honoured.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// How long the client of a write wants to wait for its decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prefer {
    respond_async: bool,
    wait_s: Option<u32>,
}

impl Prefer {
    /// Reads the lines of the header.
    pub fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Self {
        let (mut respond_async, mut wait) = (None, None);
        for preference in lines.into_iter().flat_map(|line| split_unquoted(line, b',')) {
            let before_parameters = split_unquoted(preference, b';').next().unwrap_or_default();
            let (name, value) = match before_parameters.split_once('=') {
                Some((name, value)) => (name.trim(), word(value.trim())),
                None => (before_parameters.trim(), Some("")),
            };
            if name.eq_ignore_ascii_case("respond-async") {
                // It has no value, and an empty value is no value.
                respond_async.get_or_insert(value == Some(""));
            } else if name.eq_ignore_ascii_case("wait") {
                wait.get_or_insert(value.and_then(delta_seconds));
            }
        }
        Self { respond_async: respond_async.unwrap_or(false), wait_s: wait.flatten() }
    }

    /// Whether the client wants an answer as soon as its request is durable.
    pub fn is_immediate(self) -> bool {
        self.respond_async && self.wait_s.is_none()
    }

    /// How long a request waits for its decision, if the server waits no longer than `bound`.
    pub fn wait_within(self, bound: Duration) -> Duration {
        if self.is_immediate() {
            return Duration::ZERO;
        }
        self.wait_s.map_or(bound, |wait_s| Duration::from_secs(wait_s.into()).min(bound))
    }

    /// The value of `Preference-Applied` for an answer without a decision. A wait beyond `bound` was not honoured.
    pub fn applied(self, bound: Duration) -> Option<HeaderValue> {
        let wait_s = self.wait_s.filter(|wait_s| Duration::from_secs((*wait_s).into()) <= bound);
        let value = match (self.respond_async, wait_s) {
            (true, Some(wait_s)) => format!("respond-async, wait={wait_s}"),
            (true, None) => return Some(HeaderValue::from_static("respond-async")),
            (false, Some(wait_s)) => format!("wait={wait_s}"),
            (false, None) => return None,
        };
        Some(HeaderValue::try_from(value).expect("words and digits are visible ASCII"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Prefer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        if !parts.headers.contains_key(PREFER) {
            return Ok(Self::default());
        }
        Ok(Self::parse(headers::lines(&parts.headers, &PREFER)?))
    }
}

impl Describe for Prefer {
    fn describe(operation: &mut Operation<'_>) {
        let text = "How long the client waits for the decision, RFC 7240. With `respond-async` the answer is 202 as soon as \
                    the request is durable, with `wait=N` after N seconds at the latest. Others are ignored.";
        operation.takes_header(&PREFER, schemars::json_schema!({ "type": "string" }), text);
    }
}

/// The parts of a text between separators that are in no quoted string. A quoted string without its end reaches to the
/// end of the text.
fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut is_quoted, mut is_escaped) = (false, false);
        let end = text.bytes().position(|byte| {
            match byte {
                _ if is_escaped => is_escaped = false,
                b'\\' if is_quoted => is_escaped = true,
                b'"' => is_quoted = !is_quoted,
                _ => return byte == separator && !is_quoted,
            }
            false
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// The content of a token or of a quoted string without escapes: the values that are understood need none.
fn word(text: &str) -> Option<&str> {
    match text.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').filter(|content| !content.contains(['"', '\\'])),
        None => Some(text).filter(|token| !token.contains('"')),
    }
}

/// A number of seconds. One that is too large to be stored is the largest that can be: no server waits that long.
fn delta_seconds(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BOUND: Duration = Duration::from_secs(10);

    fn prefer(respond_async: bool, wait_s: impl Into<Option<u32>>) -> Prefer {
        Prefer { respond_async, wait_s: wait_s.into() }
    }

    #[test]
    fn preferences_are_read_as_rfc_7240_writes_them() {
        for (lines, wanted) in [
            (&["respond-async"][..], prefer(true, None)),
            (&["Respond-Async, WAIT=10"], prefer(true, 10)),
            (&["wait = 7"], prefer(false, 7)),
            (&["wait=\"7\""], prefer(false, 7)),
            (&["wait=7; because=\"a, wait=8; b\""], prefer(false, 7)),
            (&["respond-async; x=1;;y", "wait=0"], prefer(true, 0)),
            (&["respond-async=\"\""], prefer(true, None)),
            (&["respond-async="], prefer(true, None)),
            (&[",, foo=\"respond-async, \\\"wait=3\", wait=4,"], prefer(false, 4)),
            (&["wait=99999999999999999999"], prefer(false, u32::MAX)),
            // The first one counts, on the same line or on an earlier one.
            (&["wait=1, wait=2"], prefer(false, 1)),
            (&["wait=1", "wait=2"], prefer(false, 1)),
            (&["wait=soon, wait=2"], prefer(false, None)),
        ] {
            assert_eq!(Prefer::parse(lines.iter().copied()), wanted, "{lines:?}");
        }
    }

    #[test]
    fn malformed_and_unknown_preferences_are_ignored() {
        for line in [
            "",
            ",",
            ";",
            "=",
            "wait",
            "wait=",
            "wait=-1",
            "wait=+1",
            "wait=1.5",
            "wait=1s",
            "wait=\"1",
            "wait=1\"",
            "wait=\"\\1\"",
            "waits=1",
            "respond-async=1",
            "respond-asynchronously",
            "\"respond-async\"",
            "\"wait=1",
            "return=minimal",
            "handling=lenient; wait=1",
            "respond-async wait=5",
            "wait=٣",
        ] {
            assert_eq!(Prefer::parse([line]), Prefer::default(), "{line}");
        }
    }

    #[test]
    fn a_wait_is_bounded_by_that_of_the_server_and_named_only_if_it_was_honoured() {
        let seconds = Duration::from_secs;
        for (prefer, wait, applied) in [
            (Prefer::default(), seconds(10), None),
            (prefer(true, None), seconds(0), Some("respond-async")),
            (prefer(false, 0), seconds(0), Some("wait=0")),
            (prefer(false, 10), seconds(10), Some("wait=10")),
            (prefer(false, 11), seconds(10), None),
            (prefer(true, 3), seconds(3), Some("respond-async, wait=3")),
            (prefer(true, 11), seconds(10), Some("respond-async")),
        ] {
            assert_eq!(prefer.wait_within(BOUND), wait, "{prefer:?}");
            assert_eq!(
                prefer.applied(BOUND).as_ref().map(|value| value.to_str().unwrap()),
                applied,
                "{prefer:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_and_what_was_applied_reads_as_what_was_preferred(
            noise in "[a-z=;,\" \\\\]{0,20}",
            text in "\\PC*",
            respond_async: bool,
            wait_s in proptest::option::of(0_u32..=10),
        ) {
            let _ = Prefer::parse([text.as_str(), noise.as_str()]);
            let prefer = prefer(respond_async, wait_s);
            let applied = prefer.applied(BOUND);
            prop_assert_eq!(Prefer::parse(applied.iter().map(|value| value.to_str().unwrap())), prefer);
        }

        #[test]
        fn preferences_around_it_do_not_change_a_wait(
            before in "[a-v]{1,5}(=(\"[a-z,;= ]{0,5}\"|[a-z]{1,5}))?",
            after in "[a-v]{1,5}(=(\"[a-z,;= ]{0,5}\"|[a-z]{1,5}))?",
            wait_s: u32,
        ) {
            let text = format!("{before}, wait={wait_s} , {after}");
            prop_assert_eq!(Prefer::parse([text.as_str()]), prefer(false, wait_s));
        }
    }
}
