//! Compression of responses: in the coding that the client prefers, if the response is large enough to gain from it.
//!
//! A response with an `ETag` is not compressed. A strong tag belongs to one sequence of bytes, and clients send it back
//! in `If-Match`, so the same order must have the same tag in every coding. Streams are not compressed either, because a
//! compressor holds back bytes that should arrive at once.

use axum::{body::HttpBody, response::Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};
use orderflow_web::Coding;

/// Shorter bodies are not compressed.
const BYTES_MIN: u64 = 1024;

/// The coding that a client prefers for the response.
#[derive(Clone, Copy, Debug)]
pub(super) struct AcceptedCoding {
    coding: Coding,
    is_head: bool,
}

impl AcceptedCoding {
    /// The coding that the client of this request prefers.
    pub(super) fn of<B>(request: &Request<B>) -> Self {
        Self { coding: Coding::preferred(request.headers()), is_head: request.method() == Method::HEAD }
    }

    /// Compresses a response that gains from it.
    pub(super) fn apply(self, mut response: Response) -> Response {
        if !self.may_compress(&response) {
            return response;
        }
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("accept-encoding"));
        let Some(name) = self.coding.name() else { return response };
        headers.insert(header::CONTENT_ENCODING, name);
        // The length of the compressed body is unknown until its end.
        headers.remove(header::CONTENT_LENGTH);
        headers.remove(header::ACCEPT_RANGES);
        if self.is_head {
            return response;
        }
        response.map(|body| self.coding.encode(body))
    }

    fn may_compress(self, response: &Response) -> bool {
        let headers = response.headers();
        let length = match self.is_head {
            true => content_length(headers),
            false => response.body().size_hint().exact(),
        };
        // A stream has no length before its end.
        length.is_some_and(|length| length >= BYTES_MIN)
            && !matches!(response.status(), StatusCode::SWITCHING_PROTOCOLS | StatusCode::PARTIAL_CONTENT)
            && is_text(media_type(headers))
            && !headers.contains_key(header::ETAG)
            && !headers.contains_key(header::CONTENT_ENCODING)
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn media_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim()
}

fn is_text(media_type: &str) -> bool {
    let is_json = media_type == "application/json" || media_type.ends_with("+json");
    is_json || media_type.starts_with("text/") || media_type == "application/x-ndjson"
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn accepted(method: Method, codings: &'static str) -> AcceptedCoding {
        let request = Request::builder().method(method).header(header::ACCEPT_ENCODING, codings);
        AcceptedCoding::of(&request.body(()).unwrap())
    }

    fn response(bytes: usize, headers: &[(&'static str, &'static str)]) -> Response {
        let builder = Response::builder().header(header::CONTENT_TYPE, "application/json");
        let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        builder.body(Body::from("a".repeat(bytes))).unwrap()
    }

    fn coding_of(response: &Response) -> Option<&str> {
        response.headers().get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap())
    }

    #[test]
    fn long_responses_are_compressed_unless_they_have_a_tag_or_a_coding() {
        let gzip = accepted(Method::GET, "gzip");
        assert_eq!(coding_of(&gzip.apply(response(1024, &[]))), Some("gzip"));
        assert_eq!(coding_of(&gzip.apply(response(1023, &[]))), None);
        assert_eq!(coding_of(&gzip.apply(response(2000, &[("etag", "\"1\"")]))), None);
        assert_eq!(coding_of(&gzip.apply(response(2000, &[("content-encoding", "br")]))), Some("br"));
        let plain = accepted(Method::GET, "br").apply(response(2000, &[]));
        assert_eq!(
            (coding_of(&plain), &plain.headers()[header::VARY]),
            (None, &"accept-encoding".parse().unwrap())
        );
    }

    #[test]
    fn head_shows_what_get_would_send() {
        let head = accepted(Method::HEAD, "zstd").apply(response(0, &[("content-length", "5000")]));
        assert_eq!(coding_of(&head), Some("zstd"));
        assert!(!head.headers().contains_key(header::CONTENT_LENGTH));
        let short = accepted(Method::HEAD, "zstd").apply(response(0, &[("content-length", "50")]));
        assert_eq!(
            (coding_of(&short), &short.headers()[header::CONTENT_LENGTH]),
            (None, &"50".parse().unwrap())
        );
    }
}
