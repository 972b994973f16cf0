//! Checks that a program of this machine sent a request, and not a web page through a browser.
//!
//! Where callers are trusted, any page in a browser on this machine could call too: from its own origin, or under a
//! name that it lets resolve to a loopback address (DNS rebinding). Browsers send `Origin` and `Host` truthfully, so a
//! request is refused if either header names anything but this machine.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Uri, header, uri::Authority};

use crate::{Problem, headers};

/// 403 unless `Host` and `Origin`, where they are present, name a loopback address.
pub(super) fn check(given: &HeaderMap) -> Result<(), Problem> {
    let names_loopback = |name: &HeaderName, authority: fn(&str) -> Option<Authority>| {
        let value = headers::single(given, name)?;
        let authority = |value| authority(value).is_some_and(|authority| is_loopback(authority.host()));
        Ok::<_, Problem>(value.is_none_or(authority))
    };
    if names_loopback(&header::HOST, authority)? && names_loopback(&header::ORIGIN, origin_authority)? {
        return Ok(());
    }
    Err(Problem::forbidden("callers are believed here, so Host and Origin must name a loopback address"))
}

fn authority(text: &str) -> Option<Authority> {
    text.parse().ok()
}

fn origin_authority(text: &str) -> Option<Authority> {
    text.parse::<Uri>().ok()?.authority().cloned()
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn programs_of_this_machine_may_call_and_web_pages_may_not() {
        for fine in [
            &[][..],
            &[("host", "127.0.0.1:8080")],
            &[("host", "localhost")],
            &[("host", "[::1]:8080")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://localhost:3000")],
        ] {
            assert!(check(&headers(fine)).is_ok(), "{fine:?}");
        }
        for wrong in [
            &[("host", "rebound.example:8080")][..],
            &[("host", "127.0.0.1.example")],
            &[("host", "127.0.0.1:8080"), ("origin", "https://shop.example")],
            &[("host", "127.0.0.1:8080"), ("origin", "null")],
        ] {
            assert!(check(&headers(wrong)).is_err(), "{wrong:?}");
        }
    }
}
