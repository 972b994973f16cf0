//! The origin of a server: scheme, host and port, in one normal form. A stored log-in belongs to exactly one origin.

use std::{fmt, net::IpAddr};

use anyhow::{Context, Result, bail, ensure};
use http::Uri;

/// Scheme, host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    is_tls: bool,
    /// In lower case; an IPv6 address has brackets.
    host: String,
    port: u16,
}

impl Origin {
    /// Parses a URL such as `https://orders.example` or `http://127.0.0.1:8080`. A path, a query and a user are errors:
    /// nothing would use them.
    pub fn parse(url: &str) -> Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => bail!("`{url}` must begin with http:// or https://"),
        };
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        ensure!(!authority.contains('@'), "a URL of a server names no user: log in with `orderflow login`");
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.with_context(|| format!("`{url}` names no host"))?;
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str());
        ensure!(path_and_query == "/", "`{url}` must name a server only, without a path");
        let port = match authority[host.len()..].trim_start_matches(':') {
            "" if is_tls => 443,
            "" => 80,
            port => port.parse().with_context(|| format!("`{port}` is no port"))?,
        };
        let host = match address(host) {
            Some(IpAddr::V4(address)) => address.to_string(),
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            None => host.to_ascii_lowercase(),
        };
        Ok(Self { is_tls, host, port })
    }

    /// Whether the scheme is `https`.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Host and port, as the header `Host` has them.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host as a certificate names it: an IPv6 address has no brackets.
    pub fn certified_name(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// Whether what is sent can be read on the way: it is not encrypted and leaves the machine.
    pub fn is_exposed(&self) -> bool {
        let is_loopback =
            self.host == "localhost" || address(&self.host).is_some_and(|ip| ip.to_canonical().is_loopback());
        !self.is_tls && !is_loopback
    }
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_origin_are_equal_and_others_are_not() {
        for (url, wanted) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("HTTP://LocalHost", "http://localhost:80"),
            ("https://Orders.Example/", "https://orders.example:443"),
            ("https://orders.example:443", "https://orders.example:443"),
            ("https://orders.example:", "https://orders.example:443"),
            ("http://orders.example:443", "http://orders.example:443"),
            ("https://orders.example.", "https://orders.example.:443"),
            ("http://[0:0::1]:80", "http://[::1]:80"),
            ("http://[::FFFF:127.0.0.1]", "http://[::ffff:127.0.0.1]:80"),
        ] {
            assert_eq!(Origin::parse(url).unwrap().to_string(), wanted, "{url}");
        }
    }

    #[test]
    fn what_names_more_or_less_than_a_server_is_refused() {
        for url in [
            "",
            "orders.example",
            "localhost:8080",
            "ftp://orders.example",
            "https://",
            "https://:443",
            "https://orders.example/api",
            "https://orders.example?x",
            "https://ada:secret@orders.example",
            "https://orders.example@evil.example",
            "https://orders.example:99999",
            "https://orders.example:port",
        ] {
            let error = Origin::parse(url).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn what_is_sent_in_clear_beyond_this_machine_is_exposed() {
        for (url, exposed) in [
            ("http://localhost", false),
            ("http://127.8.8.8", false),
            ("http://[::1]", false),
            ("http://[::ffff:127.0.0.1]", false),
            ("https://orders.example", false),
            ("http://orders.example", true),
            ("http://localhost.orders.example", true),
            ("http://127.0.0.1.orders.example", true),
            ("http://192.0.2.1", true),
            ("http://0.0.0.0", true),
        ] {
            assert_eq!(Origin::parse(url).unwrap().is_exposed(), exposed, "{url}");
        }
    }
}
