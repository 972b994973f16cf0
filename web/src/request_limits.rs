//! Limits on the requests of each caller, and the headers that tell callers how far they are from them.
//!
//! A request counts once, whatever it does: a stream of lines is one request, since its lines have bounds of their own
//! on the memory and the work in flight. A caller is a role and a subject, so a person with several tokens has one
//! bucket. Each process counts for itself.
//!
//! The headers are those of draft-ietf-httpapi-ratelimit-headers-11: `RateLimit-Policy` with the quota `q` of a window
//! of `w` seconds, `RateLimit` with the rest `r` and the seconds `t` until there is more.

use std::{num::NonZeroU32, time::Duration};

use axum::response::Response;
use compact_str::CompactString;
use http::{HeaderName, HeaderValue};
use orderflow_schemas::Role;

use crate::{
    Caller, Problem,
    buckets::{Allowance, Buckets, Refused},
    metrics::REQUESTS_LIMITED,
};

/// The header with the limit of the caller.
pub const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// The header with what is left of it.
pub const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// Callers that are remembered if the settings do not say how many.
const CALLERS_MAX: usize = 100_000;

/// The limits on the requests of each caller.
pub struct RequestLimits {
    /// The allowance of callers that have none of their own; `None` for no limit.
    every_caller: Option<Allowance>,
    callers: Buckets<(Role, CompactString)>,
}

impl Default for RequestLimits {
    /// Only callers with a limit of their own are limited.
    fn default() -> Self {
        Self::new(0, 0, CALLERS_MAX)
    }
}

impl RequestLimits {
    /// Every caller may send this many requests a second, and `burst` at once. 0 requests a second is no limit, a
    /// burst of 0 is the requests of one second. At most `callers_max` callers are remembered.
    pub fn new(requests_per_second: u32, burst: u32, callers_max: usize) -> Self {
        let every_caller = NonZeroU32::new(requests_per_second)
            .map(|rate| Allowance::per_second(rate, NonZeroU32::new(burst).unwrap_or(rate)));
        Self { every_caller, callers: Buckets::new(callers_max) }
    }

    /// Counts a request. Returns what its response says about the limit, if there is one; 429 if the caller is over it.
    pub(crate) fn count(&self, caller: &Caller) -> Result<Option<Standing>, Problem> {
        let own = caller.requests_per_second.map(|rate| Allowance::per_second(rate, rate));
        // Callers without a limit cost nothing more than this.
        let Some(allowance) = own.or(self.every_caller) else { return Ok(None) };
        match self.callers.take((caller.role, caller.subject.clone()), allowance) {
            Ok(left) => {
                Ok(Some(Standing { name: "client", allowance, left, more_after: allowance.interval() }))
            }
            Err(refused) => Err(too_many("client", allowance, refused)),
        }
    }
}

/// What a response says about a limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    name: &'static str,
    allowance: Allowance,
    /// The requests that may still come at once.
    left: u32,
    /// When there is one more, at the latest.
    more_after: Duration,
}

/// Whole seconds, rounded up.
fn seconds(duration: Duration) -> u128 {
    duration.as_nanos().div_ceil(1_000_000_000).max(1)
}

impl Standing {
    fn headers(self) -> [(HeaderName, HeaderValue); 2] {
        let Self { name, allowance, left, more_after } = self;
        let policy = format!("\"{name}\";q={};w={}", allowance.burst(), seconds(allowance.window()));
        let limit = format!("\"{name}\";r={left};t={}", seconds(more_after));
        let value = |text: String| HeaderValue::try_from(text).expect("numbers and names are ASCII");
        [(RATE_LIMIT_POLICY, value(policy)), (RATE_LIMIT, value(limit))]
    }

    /// Adds the headers to a response.
    pub(crate) fn add(self, response: &mut Response) {
        response.headers_mut().extend(self.headers());
    }
}

/// 429 `too-many-requests`, with the headers of the limit with this name; 503 if so many are over it that no other is
/// taken.
pub fn too_many(name: &'static str, allowance: Allowance, refused: Refused) -> Problem {
    let Refused::Empty { retry_after } = refused else {
        return Problem::unavailable("overloaded", "too many are over their limit of requests", 1);
    };
    metrics::counter!(REQUESTS_LIMITED.name, "limit" => name).increment(1);
    let (burst, window) = (allowance.burst(), seconds(allowance.window()));
    let detail = format!("more than {burst} requests within {window} s; send them more slowly");
    let problem = Problem::too_many_requests("too-many-requests", detail, retry_after);
    let standing = Standing { name, allowance, left: 0, more_after: retry_after };
    standing.headers().into_iter().fold(problem, |problem, (name, value)| problem.with_header(name, value))
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::*;

    fn value(response: &Response, name: &HeaderName) -> String {
        response.headers()[name].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_caller_learns_the_limit_and_what_is_left_and_is_refused_beyond() {
        // The buckets do not fill up again while the test runs.
        let limits = RequestLimits {
            every_caller: Some(Allowance::per_minute(NonZeroU32::new(2).unwrap())),
            callers: Buckets::new(10),
        };
        let ann = Caller::new(Role::Customer, "ann");
        let mut response = Response::default();
        limits.count(&ann).unwrap().unwrap().add(&mut response);
        assert_eq!(value(&response, &RATE_LIMIT_POLICY), "\"client\";q=2;w=60");
        assert_eq!(value(&response, &RATE_LIMIT), "\"client\";r=1;t=30");
        limits.count(&ann).unwrap();
        let refused = limits.count(&ann).unwrap_err();
        assert_eq!((refused.status().as_u16(), refused.slug()), (429, "too-many-requests"));
        let response = refused.into_response();
        assert_eq!(value(&response, &RATE_LIMIT_POLICY), "\"client\";q=2;w=60");
        assert_eq!(value(&response, &RATE_LIMIT), "\"client\";r=0;t=30");
        assert_eq!(response.headers()["retry-after"], "30");
        limits.count(&Caller::new(Role::Customer, "bob")).unwrap();
        limits.count(&Caller::new(Role::Service, "ann")).unwrap();
    }

    #[test]
    fn a_limit_of_its_own_replaces_that_of_every_caller() {
        let limits = RequestLimits::new(100, 200, 10);
        let of = |own: Option<u32>| {
            let mut caller = Caller::new(Role::Service, "shop");
            caller.requests_per_second = own.and_then(NonZeroU32::new);
            let standing = limits.count(&caller).unwrap().unwrap();
            standing.headers()[0].1.to_str().unwrap().to_owned()
        };
        assert_eq!(of(None), "\"client\";q=200;w=2");
        assert_eq!(of(Some(7)), "\"client\";q=7;w=1");
        let none = RequestLimits::default();
        assert!(none.count(&Caller::new(Role::Admin, "ada")).unwrap().is_none());
    }
}
