//! The address of a client behind trusted proxies, from `Forwarded` (RFC 7239) or `X-Forwarded-For`.
//!
//! Each proxy appends the address that has connected to it, so the header is read from the right, and only through
//! trusted proxies: what stands left of another address was written by that client itself. Only the header that the
//! settings name is read, because a proxy that maintains one of them passes on the other as the client sent it.
//!
//! *Broken syntax*: every line is split from its end, so what a client has sent cannot hide what a proxy has appended.
//! At an element that is broken, unknown or obfuscated, the search ends without an address.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use http::{HeaderMap, HeaderName, header};
use serde::{Deserialize, Serialize};

/// The header in which proxies name the client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum ForwardedHeader {
    /// `Forwarded`, RFC 7239.
    #[default]
    Forwarded,
    /// `X-Forwarded-For`, the addresses alone.
    XForwardedFor,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The text names neither header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be Forwarded or X-Forwarded-For")]
pub struct UnknownHeader;

impl FromStr for ForwardedHeader {
    type Err = UnknownHeader;

    fn from_str(text: &str) -> Result<Self, UnknownHeader> {
        [Self::Forwarded, Self::XForwardedFor]
            .into_iter()
            .find(|header| header.as_str().eq_ignore_ascii_case(text))
            .ok_or(UnknownHeader)
    }
}

impl TryFrom<String> for ForwardedHeader {
    type Error = UnknownHeader;

    fn try_from(text: String) -> Result<Self, UnknownHeader> {
        text.parse()
    }
}

impl From<ForwardedHeader> for &'static str {
    fn from(header: ForwardedHeader) -> Self {
        header.as_str()
    }
}

impl ForwardedHeader {
    /// The name of the header.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forwarded => "Forwarded",
            Self::XForwardedFor => "X-Forwarded-For",
        }
    }

    /// The address of the client that a trusted proxy names: the first one from the right that is not trusted. `None` if
    /// there is none, because the header is missing or broken, or names only proxies.
    pub fn client(self, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let name = match self {
            Self::Forwarded => header::FORWARDED,
            Self::XForwardedFor => X_FORWARDED_FOR,
        };
        for line in headers.get_all(name).iter().rev() {
            let mut rest = Some(line.as_bytes());
            while let Some(line) = rest {
                let (before, element) = self.split_last(line)?;
                rest = before;
                // A list may have empty elements, RFC 9110, section 5.6.1.
                if element.is_empty() {
                    continue;
                }
                let address = self.address(element)?.to_canonical();
                if !is_trusted(address) {
                    return Some(address);
                }
            }
        }
        None
    }

    /// The last element of a line, and what stands before it. `None` if a quoted text does not begin.
    fn split_last(self, line: &[u8]) -> Option<(Option<&[u8]>, &[u8])> {
        let mut at = line.len();
        while let Some(before) = at.checked_sub(1) {
            at = before;
            match line[at] {
                b',' => return Some((Some(&line[..at]), line[at + 1..].trim_ascii())),
                b'"' if self == Self::Forwarded => at = opening_quote(&line[..at])?,
                _ => {}
            }
        }
        Some((None, line.trim_ascii()))
    }

    /// The address in an element.
    fn address(self, element: &[u8]) -> Option<IpAddr> {
        let node = match self {
            Self::Forwarded => node_of(element)?,
            Self::XForwardedFor => element.to_vec(),
        };
        address_of(str::from_utf8(&node).ok()?)
    }
}

/// Where the quoted text begins whose closing quote comes after `before`.
fn opening_quote(before: &[u8]) -> Option<usize> {
    // A quote after an odd number of backslashes belongs to the text.
    let is_escaped =
        |at: usize| before[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1;
    if is_escaped(before.len()) {
        return None;
    }
    (0..before.len()).rev().find(|at| before[*at] == b'"' && !is_escaped(*at))
}

/// The value of `for` in an element of `Forwarded`, without quotes. `None` if there is none or more than one.
fn node_of(element: &[u8]) -> Option<Vec<u8>> {
    let mut node = None;
    let mut rest = element;
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (rest[..equals].trim_ascii(), &rest[equals + 1..]);
        let (value, after) = value_of(value)?;
        if name.eq_ignore_ascii_case(b"for") && node.replace(value).is_some() {
            return None;
        }
        match after.trim_ascii_start() {
            [] => return node,
            [b';', more @ ..] => rest = more,
            _ => return None,
        }
    }
}

/// A value at the beginning of a text, a token or a quoted text, and what comes after it.
fn value_of(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let Some(quoted) = text.strip_prefix(b"\"") else {
        let is_end = |byte: &u8| matches!(byte, b';' | b'"' | b' ' | b'\t');
        let end = text.iter().position(is_end).unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_vec(), &text[end..]));
    };
    let (mut value, mut bytes) = (Vec::new(), quoted.iter().enumerate());
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some((value, &quoted[at + 1..])),
            b'\\' => value.push(*bytes.next()?.1),
            _ => value.push(*byte),
        }
    }
    None
}

/// The address of a node, which may have a port. `unknown` and obfuscated names have none.
fn address_of(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    if let Ok(address) = node.parse::<SocketAddr>() {
        return Some(address.ip());
    }
    let (address, port) = match node.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => node.split_at(node.find(':')?),
    };
    // A port may be obfuscated too.
    (port.is_empty() || port.starts_with(":_")).then(|| address.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::{
        ForwardedHeader::{Forwarded, XForwardedFor},
        *,
    };

    fn headers(name: HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), HeaderValue::from_str(line).unwrap())).collect()
    }

    fn is_trusted(address: IpAddr) -> bool {
        matches!(address, IpAddr::V4(address) if address.octets()[0] == 10)
    }

    fn forwarded(lines: &[&str]) -> Option<String> {
        Forwarded.client(&headers(header::FORWARDED, lines), is_trusted).map(|address| address.to_string())
    }

    #[test]
    fn the_address_is_the_first_one_from_the_right_that_is_not_trusted() {
        for (lines, client) in [
            (&["for=192.0.2.1"][..], "192.0.2.1"),
            (&["for=198.51.100.9, for=192.0.2.1"], "192.0.2.1"),
            (&["for=198.51.100.9, for=192.0.2.1, for=10.0.0.1"], "192.0.2.1"),
            (&["For=\"[2001:db8::1]:4711\";proto=https;by=10.0.0.9"], "2001:db8::1"),
            (&["proto=http; for=\"192.0.2.1:80\""], "192.0.2.1"),
            (&["for=192.0.2.1:80"], "192.0.2.1"),
            (&["for=\"192.0.2.1:_port\""], "192.0.2.1"),
            (&["for=\"[2001:db8::1]\""], "2001:db8::1"),
            (&["for=\"[::ffff:192.0.2.1]\""], "192.0.2.1"),
            (&["for=192.0.2.1, for=\"[::ffff:10.0.0.1]:99\""], "192.0.2.1"),
            (&["for=198.51.100.9", "for=192.0.2.1", "for=10.0.0.1"], "192.0.2.1"),
            (&["for=192.0.2.1, , for=10.0.0.1 ,"], "192.0.2.1"),
            (&["for=192.0.2.1;host=\"a\\\", for=198.51.100.9;b=\\\"\""], "192.0.2.1"),
            // What a client has sent is broken, and the proxy has appended to it.
            (&["for=\"198.51.100.9, for=192.0.2.1"], "192.0.2.1"),
            (&["for=\"x, for=198.51.100.9, for=\"[2001:db8::1]\""], "2001:db8::1"),
            (&["\"\\", "for=192.0.2.1"], "192.0.2.1"),
        ] {
            assert_eq!(forwarded(lines).as_deref(), Some(client), "{lines:?}");
        }
    }

    #[test]
    fn what_is_unknown_or_broken_has_no_address_and_nothing_left_of_it_counts() {
        for element in [
            "for=unknown",
            "for=_hidden",
            "for=\"_hidden:80\"",
            "for=",
            "for",
            "proto=https",
            "for=192.0.2.1;for=192.0.2.2",
            "for=\"192.0.2.1",
            "192.0.2.1\"",
            "for=\"192.0.2.1\\\"",
            "for=\"[2001:db8::1\"",
            "for=\"192.0.2.1\" x",
            "for=192.0.2.1 x",
            "for=192.0.2.256",
            "for=\"[192.0.2.1]x\"",
            ";for=192.0.2.1",
            "for=caf\u{e9}",
        ] {
            assert_eq!(forwarded(&[element]), None, "{element}");
            let with_others = format!("for=198.51.100.9, {element}, for=10.0.0.1");
            assert_eq!(forwarded(&[&with_others]), None, "{with_others}");
        }
        for lines in [&[][..], &[""], &["for=10.0.0.1"], &["for=10.0.0.2,for=10.0.0.1"]] {
            assert_eq!(forwarded(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn only_the_named_header_is_read() {
        let mut both = headers(header::FORWARDED, &["for=192.0.2.1"]);
        both.extend(headers(X_FORWARDED_FOR, &["198.51.100.9, 192.0.2.2", "10.0.0.1"]));
        let client = |header: ForwardedHeader| header.client(&both, is_trusted).unwrap().to_string();
        assert_eq!((client(Forwarded), client(XForwardedFor)), ("192.0.2.1".into(), "192.0.2.2".into()));
        for (line, address) in [
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:80", Some("2001:db8::1")),
            ("192.0.2.1:80", Some("192.0.2.1")),
            ("unknown", None),
            ("198.51.100.9, \"192.0.2.1\"", None),
        ] {
            let found = XForwardedFor.client(&headers(X_FORWARDED_FOR, &[line]), is_trusted);
            assert_eq!(found.map(|address| address.to_string()).as_deref(), address, "{line}");
        }
        assert_eq!("x-forwarded-for".parse(), Ok(XForwardedFor));
        assert_eq!("X-Real-IP".parse::<ForwardedHeader>(), Err(UnknownHeader));
    }

    fn any_address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 3]>().prop_map(|[b, c, d]| IpAddr::from([10, b, c, d])),
            any::<[u8; 16]>().prop_map(IpAddr::from),
            any::<[u8; 4]>()
                .prop_map(|bytes| { IpAddr::from(std::net::Ipv4Addr::from(bytes).to_ipv6_mapped()) }),
        ]
    }

    /// An element as a proxy writes it.
    fn element(address: IpAddr, style: u8) -> String {
        let port = if style & 1 == 0 { "" } else { ":4711" };
        let rest = if style & 2 == 0 { "" } else { ";proto=https;host=\"a, \\\"b\"" };
        match address {
            IpAddr::V4(address) if port.is_empty() => format!("for={address}{rest}"),
            IpAddr::V4(address) => format!("for=\"{address}{port}\"{rest}"),
            IpAddr::V6(address) => format!("for=\"[{address}]{port}\"{rest}"),
        }
    }

    proptest! {
        /// Whatever a client has sent, the result is the first address from the right that is not trusted among those
        /// that proxies have appended, and nothing left of it.
        #[test]
        fn no_address_left_of_an_untrusted_hop_is_ever_the_client(
            sent in "[ -~]{0,60}",
            hops in proptest::collection::vec((any_address(), any::<u8>()), 1..5),
            is_one_line in any::<bool>(),
        ) {
            let appended: Vec<_> =
                hops.iter().map(|(address, style)| element(*address, *style)).collect();
            let lines = match is_one_line {
                true => vec![format!("{sent}, {}", appended.join(", "))],
                false => [vec![sent], appended].concat(),
            };
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            let found = Forwarded.client(&headers(header::FORWARDED, &lines), is_trusted);
            let untrusted = |(address, _): &(IpAddr, u8)| {
                Some(address.to_canonical()).filter(|address| !is_trusted(*address))
            };
            if let Some(client) = hops.iter().rev().find_map(untrusted) {
                prop_assert_eq!(found, Some(client));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(
            lines in proptest::collection::vec(
                prop_oneof!["[for=\"\\\\,;:\\[\\]. 0-9a-f]{0,40}".prop_map(String::into_bytes),
                    proptest::collection::vec(any::<u8>(), 0..40)],
                0..4,
            ),
        ) {
            for (header, name) in [(Forwarded, header::FORWARDED), (XForwardedFor, X_FORWARDED_FOR)] {
                let values = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
                let map: HeaderMap = values.map(|value| (name.clone(), value)).collect();
                let found = header.client(&map, is_trusted);
                prop_assert!(found.is_none_or(|address| !is_trusted(address)));
            }
        }
    }
}
