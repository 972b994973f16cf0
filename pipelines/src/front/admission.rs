//! Bounds on the work in flight: the requests that are being answered, and the bytes of their bodies.
//!
//! What is counted is work, not connections or streams: a request counts until its response is made, or until it is
//! dropped because its client has left. A request over a bound is 503 before its body is read.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use http::{HeaderMap, Request, header};
use http_body::Body;
use orderflow_web::Problem;

use super::overloaded;
use crate::telemetry::metrics::{BYTES_IN_FLIGHT, REQUESTS_IN_FLIGHT, REQUESTS_SHED};

/// The bounds on requests in flight, and what a request counts for.
#[derive(Clone, Debug)]
pub struct AdmissionLimits {
    /// Bytes of request bodies.
    pub bytes_max: usize,
    /// Requests.
    pub requests_max: usize,
    /// What a body of unknown length counts for: the most it can have.
    pub body_bytes_max: usize,
    /// What a stream of lines counts for, whose lines are held one at a time.
    pub line_bytes_max: usize,
}

/// The requests and bytes in flight.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    bytes: AtomicUsize,
    requests: AtomicUsize,
}

/// The permission to answer a request. Dropping it gives back what the request counts for.
#[derive(Debug)]
pub struct Permit(Option<(Arc<Admission>, usize)>);

impl Permit {
    /// The permission of a request that is exempt from the bounds.
    pub fn exempt() -> Self {
        Self(None)
    }
}

impl Admission {
    /// Nothing is in flight yet.
    pub fn new(limits: AdmissionLimits) -> Arc<Self> {
        Arc::new(Self { limits, bytes: AtomicUsize::new(0), requests: AtomicUsize::new(0) })
    }

    /// Admits a request, or 503 `overloaded`.
    pub fn admit<B: Body>(self: &Arc<Self>, request: &Request<B>) -> Result<Permit, Problem> {
        let bytes = self.bytes_of(request);
        // Until it is known to fit, the request counts too, so that two can never pass together.
        let permit = Permit(Some((self.clone(), bytes)));
        let requests = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        let all_bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let reason = if requests > self.limits.requests_max {
            "requests"
        } else if bytes > 0 && all_bytes > self.limits.bytes_max {
            "bytes"
        } else {
            return Ok(permit);
        };
        metrics::counter!(REQUESTS_SHED.name, "reason" => reason).increment(1);
        Err(overloaded("too many requests are being answered; nothing of this one was read"))
    }

    /// How many bytes a request may hold.
    fn bytes_of<B: Body>(&self, request: &Request<B>) -> usize {
        let AdmissionLimits { body_bytes_max, line_bytes_max, .. } = self.limits;
        let (headers, body) = (request.headers(), request.body());
        if body.is_end_stream() {
            return 0;
        }
        if is_stream(headers) {
            return line_bytes_max;
        }
        let exact = body.size_hint().exact().filter(|_| !headers.contains_key(header::CONTENT_ENCODING));
        // A longer body is refused, and is not held.
        let bytes = exact.and_then(|exact| usize::try_from(exact).ok());
        bytes.map_or(body_bytes_max, |bytes| bytes.min(body_bytes_max))
    }

    /// Reports the gauges of what is in flight.
    pub fn report_gauges(&self) {
        metrics::gauge!(BYTES_IN_FLIGHT.name).set(self.bytes.load(Ordering::Relaxed) as f64);
        metrics::gauge!(REQUESTS_IN_FLIGHT.name).set(self.requests.load(Ordering::Relaxed) as f64);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some((admission, bytes)) = &self.0 {
            admission.bytes.fetch_sub(*bytes, Ordering::Relaxed);
            admission.requests.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Whether the body is a stream of lines, which may take any time and have any length.
pub(super) fn is_stream(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes()).unwrap_or_default();
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/x-ndjson")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn admission() -> Arc<Admission> {
        let limits =
            AdmissionLimits { bytes_max: 1000, requests_max: 4, body_bytes_max: 300, line_bytes_max: 200 };
        Admission::new(limits)
    }

    fn request(headers: &[(&str, &str)], body: Body) -> Request<Body> {
        let builder =
            headers.iter().fold(Request::post("/"), |builder, (name, value)| builder.header(*name, *value));
        builder.body(body).unwrap()
    }

    fn chunked() -> Body {
        Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("a")]))
    }

    #[test]
    fn a_request_counts_for_what_it_may_hold() {
        let admission = admission();
        for (headers, body, bytes) in [
            (&[][..], Body::empty(), 0),
            (&[], Body::from("12345"), 5),
            (&[], Body::from("x".repeat(301)), 300),
            (&[], chunked(), 300),
            (&[("content-encoding", "gzip")], Body::from("12345"), 300),
            (&[("content-type", "Application/X-NDJSON; charset=utf-8")], Body::from("12345"), 200),
            (&[("content-type", "application/x-ndjson"), ("content-encoding", "zstd")], chunked(), 200),
        ] {
            assert_eq!(admission.bytes_of(&request(headers, body)), bytes, "{headers:?}");
        }
    }

    #[test]
    fn a_request_over_a_bound_is_refused_and_dropped_ones_give_back_what_they_held() {
        let admission = admission();
        let held: Vec<_> = (0..3).map(|_| admission.admit(&request(&[], chunked())).unwrap()).collect();
        let refused = admission.admit(&request(&[], Body::from("x".repeat(101)))).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.slug()), (503, "overloaded"));
        let small = admission.admit(&request(&[], Body::from("x".repeat(100)))).unwrap();
        assert!(admission.admit(&request(&[], Body::empty())).is_err(), "four requests are the most");
        drop(small);
        admission.admit(&request(&[], Body::empty())).unwrap();
        drop(held);
        assert_eq!(admission.bytes.load(Ordering::Relaxed), 0);
        assert_eq!(admission.requests.load(Ordering::Relaxed), 0);
    }
}
