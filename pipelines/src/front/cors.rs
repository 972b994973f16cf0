//! Cross-origin requests from web pages, as the Fetch standard defines them: which origins may read responses.

use std::str::FromStr;

use anyhow::{Result, bail};
use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use serde::{Deserialize, Serialize};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
const REQUEST_HEADERS: HeaderValue = HeaderValue::from_static(
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Orderflow-Min-Position, Prefer, \
     traceparent",
);
const RESPONSE_HEADERS: HeaderValue = HeaderValue::from_static(
    "Orderflow-Position, ETag, Location, Idempotent-Replayed, RateLimit, RateLimit-Policy, RateLimit-Limit, \
     RateLimit-Remaining, RateLimit-Reset, X-Request-Id, Retry-After, Preference-Applied",
);
/// How many seconds a browser may remember the answer to a preflight.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The origins of web pages that may read responses, such as `https://shop.example`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CorsOrigins(Vec<String>);

impl FromStr for CorsOrigins {
    type Err = anyhow::Error;

    /// Parses origins that are separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(origin).collect::<Result<_>>().map(Self)
    }
}

/// An origin as browsers send it: scheme, host and port, without a path.
fn origin(text: &str) -> Result<String> {
    let parts = text.parse::<Uri>().map(Uri::into_parts).ok();
    let authority = parts.filter(|parts| {
        matches!(parts.scheme.as_ref().map(http::uri::Scheme::as_str), Some("http" | "https"))
    });
    match authority.and_then(|parts| Some((parts.scheme?, parts.authority?))) {
        Some((scheme, authority)) if format!("{scheme}://{authority}").eq_ignore_ascii_case(text) => {
            Ok(text.to_ascii_lowercase())
        }
        _ => bail!("`{text}` is no origin such as https://shop.example"),
    }
}

impl TryFrom<String> for CorsOrigins {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<CorsOrigins> for String {
    fn from(CorsOrigins(origins): CorsOrigins) -> Self {
        origins.join(",")
    }
}

/// The rules for cross-origin requests.
#[derive(Debug)]
pub(super) struct Cors(Vec<HeaderValue>);

/// The allowed origin of a request, if it has one.
pub(super) type Origin = Option<HeaderValue>;

impl Cors {
    /// The rules for these origins; `None` if there are no origins.
    pub(super) fn new(CorsOrigins(origins): &CorsOrigins) -> Option<Self> {
        let values = origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok());
        let values: Vec<_> = values.collect();
        (!values.is_empty()).then_some(Self(values))
    }

    /// The origin of a request if it is allowed.
    pub(super) fn origin(&self, headers: &HeaderMap) -> Origin {
        headers.get(header::ORIGIN).filter(|origin| self.0.contains(origin)).cloned()
    }

    /// The response to a preflight from an allowed origin. Other requests, and preflights of other origins, are routed.
    pub(super) fn preflight<B>(&self, request: &Request<B>) -> Option<Response> {
        let is_preflight = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
            && self.origin(request.headers()).is_some();
        is_preflight.then(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, REQUEST_HEADERS);
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
            response
        })
    }

    /// Lets a page of this origin read the response. Every response says that it depends on the origin.
    pub(super) fn add(&self, origin: Origin, response: &mut Response) {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, RESPONSE_HEADERS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_have_a_scheme_a_host_and_nothing_behind() {
        let origins: CorsOrigins = "https://Shop.example, http://localhost:3000".parse().unwrap();
        assert_eq!(String::from(origins), "https://shop.example,http://localhost:3000");
        for wrong in
            ["shop.example", "https://shop.example/", "https://shop.example/a", "null", "*", "ftp://a"]
        {
            let error = wrong.parse::<CorsOrigins>().unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }

    #[test]
    fn only_preflights_of_allowed_origins_are_answered_here() {
        let cors = Cors::new(&"https://shop.example".parse().unwrap()).unwrap();
        let ask = |method: Method, origin: &'static str| {
            let request = Request::builder().method(method).header(header::ORIGIN, origin);
            let request = request.header(header::ACCESS_CONTROL_REQUEST_METHOD, "POST").body(()).unwrap();
            cors.preflight(&request)
        };
        assert_eq!(ask(Method::OPTIONS, "https://shop.example").unwrap().status(), 204);
        assert!(ask(Method::OPTIONS, "https://other.example").is_none());
        assert!(ask(Method::POST, "https://shop.example").is_none());
        assert!(Cors::new(&CorsOrigins::default()).is_none());
    }
}
