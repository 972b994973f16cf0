//! The headers that every response has.

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

const NO_SNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
const NO_FRAMES: HeaderValue = HeaderValue::from_static("DENY");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// A response loads nothing and is in no frame. A page that a person looks at sets its own policy.
const LOADS_NOTHING: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const ONLY_TLS_FOR_A_YEAR: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// The headers that every response of a listener has.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommonHeaders {
    /// Whether browsers should use only TLS from now on.
    pub(super) requires_tls: bool,
}

impl CommonHeaders {
    /// Adds the headers. Those that a handler may decide itself are added only where it did not.
    pub(super) fn add(self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.reserve(10);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFF);
        headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        headers.insert(header::X_FRAME_OPTIONS, NO_FRAMES);
        add_unless_set(headers, header::CACHE_CONTROL, NO_STORE);
        add_unless_set(headers, header::CONTENT_SECURITY_POLICY, LOADS_NOTHING);
        if self.requires_tls {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, ONLY_TLS_FOR_A_YEAR);
        }
    }
}

fn add_unless_set(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handler_decides_what_may_be_cached_and_loaded() {
        let mut response = Response::default();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=60"));
        CommonHeaders { requires_tls: false }.add(&mut response);
        let value = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap());
        assert_eq!(value("cache-control"), Some("max-age=60"));
        assert_eq!(value("content-security-policy"), Some("default-src 'none'; frame-ancestors 'none'"));
        assert_eq!(value("x-content-type-options"), Some("nosniff"));
        assert_eq!(value("strict-transport-security"), None);
    }
}
