//! The check of the header `Host`, RFC 9112, section 3.2.

use http::{HeaderMap, Request, Version, header, uri::Authority};

use crate::{Problem, headers};

/// 400 for an HTTP/1.1 request without `Host`, and for a request with several `Host` headers or with one that is not a
/// host.
pub fn require_host<B>(request: &Request<B>) -> Result<(), Problem> {
    check(request.version(), request.headers())
}

fn check(version: Version, given: &HeaderMap) -> Result<(), Problem> {
    let mut lines = given.get_all(header::HOST).iter();
    match (lines.next(), lines.next()) {
        (None, _) if version < Version::HTTP_11 => return Ok(()),
        (None, _) => return Err(headers::invalid(&header::HOST, "is missing")),
        (Some(_), Some(_)) => return Err(headers::invalid(&header::HOST, "is there more than once")),
        (Some(_), None) => {}
    }
    let host = headers::single(given, &header::HOST)?.unwrap_or_default();
    // The authority in `Host` has no user part. An empty value is valid for targets that have no authority.
    let is_host = |authority: Authority| !authority.as_str().contains('@');
    if host.is_empty() || host.parse().is_ok_and(is_host) {
        return Ok(());
    }
    Err(headers::invalid(&header::HOST, "is no host"))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn status(version: Version, hosts: &[&[u8]]) -> Option<u16> {
        let pairs = hosts.iter().map(|host| (header::HOST, HeaderValue::from_bytes(host).unwrap()));
        check(version, &pairs.collect()).err().map(|problem| problem.status().as_u16())
    }

    #[test]
    fn one_host_is_required_from_http_1_1_on() {
        for fine in ["127.0.0.1:8080", "[::1]", "shop.example", "localhost:80", ""] {
            assert_eq!(status(Version::HTTP_11, &[fine.as_bytes()]), None, "{fine}");
        }
        assert_eq!(status(Version::HTTP_10, &[]), None);
        for wrong in
            [&[b"a".as_slice(), b"b"][..], &[b"a", b"a"], &[b"a b"], &[b"\xff"], &[b"u@a"], &[b"a/b"], &[]]
        {
            assert_eq!(status(Version::HTTP_11, wrong), Some(400), "{wrong:?}");
        }
    }
}
