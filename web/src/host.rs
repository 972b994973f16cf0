//! The host that a request is for: the header `Host`, RFC 9112, section 3.2, or the authority of the request target,
//! which HTTP/2 sends instead, RFC 9113, section 8.3.1.

use http::{HeaderMap, HeaderValue, Request, Version, header, uri::Authority};

use crate::{Problem, headers};

/// 400 for a request from HTTP/1.1 on that names no host, or that names several hosts or something that is no host.
/// Afterwards the header `Host` has the host that counts, in every version of HTTP.
pub fn require_host<B>(request: &mut Request<B>) -> Result<(), Problem> {
    let Some(authority) = request.uri().authority() else {
        return check(request.version(), request.headers());
    };
    let host = HeaderValue::from_str(authority.as_str());
    let (true, Ok(host)) = (is_host(authority), host) else { return Err(no_host()) };
    let given = request.headers();
    if request.version() < Version::HTTP_2 {
        check(request.version(), given)?;
    } else if given.get_all(header::HOST).iter().any(|given| given != host) {
        return Err(headers::invalid(&header::HOST, "names another host than the request target"));
    }
    // A target with an authority overrides the header.
    request.headers_mut().insert(header::HOST, host);
    Ok(())
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
    // An empty value is valid for targets that have no authority.
    if host.is_empty() || host.parse().is_ok_and(|authority| is_host(&authority)) {
        return Ok(());
    }
    Err(no_host())
}

/// The authority in `Host` has no user part.
fn is_host(authority: &Authority) -> bool {
    !authority.as_str().contains('@')
}

fn no_host() -> Problem {
    headers::invalid(&header::HOST, "is no host")
}

#[cfg(test)]
mod tests {
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
    /// The `Host` that counts for a request to this target, or the status that refuses the request.
    fn host_of(version: Version, target: &str, hosts: &[&str]) -> Result<String, u16> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        let mut request = request.body(()).unwrap();
        require_host(&mut request).map_err(|problem| problem.status().as_u16())?;
        Ok(request.headers()[header::HOST].to_str().unwrap().to_owned())
    }

    #[test]
    fn the_authority_of_the_target_is_the_host() {
        let (one, two) = (Version::HTTP_11, Version::HTTP_2);
        assert_eq!(host_of(two, "https://shop.example/orders", &[]), Ok("shop.example".into()));
        assert_eq!(host_of(two, "https://shop.example/", &["shop.example"]), Ok("shop.example".into()));
        assert_eq!(host_of(two, "https://shop.example/", &["localhost"]), Err(400));
        assert_eq!(host_of(two, "https://me@shop.example/", &[]), Err(400));
        assert_eq!(host_of(two, "/orders", &[]), Err(400));
        assert_eq!(host_of(two, "/orders", &["localhost"]), Ok("localhost".into()));
        assert_eq!(host_of(one, "http://shop.example/", &["localhost"]), Ok("shop.example".into()));
        assert_eq!(host_of(one, "http://shop.example/", &[]), Err(400));
    }
}
