//! The address of the client that sent a request.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use axum::extract::FromRequestParts;
use http::request::Parts;

/// The client that sent a request. The entry point of every request puts it into the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ClientAddress {
    /// The client has this address.
    Known(IpAddr),
    /// A trusted proxy sent the request and did not name the client. Bounds for each address do not apply: they would
    /// lock out everybody behind the proxy.
    Hidden,
}

impl ClientAddress {
    /// The network that counts as one client.
    #[must_use]
    pub fn network(self) -> Option<IpAddr> {
        match self {
            Self::Known(address) => Some(network_of(address)),
            Self::Hidden => None,
        }
    }
}

/// The network that counts as one client: an IPv4 address, or the /64 of an IPv6 address, which one subscriber owns. An
/// IPv4 address that is mapped into IPv6 is the IPv4 address.
#[must_use]
pub fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().copied();
        // Without a connection, as in a test, all requests count as one client.
        Ok(known.unwrap_or(Self::Known(Ipv4Addr::UNSPECIFIED.into())))
    }
}

impl crate::openapi::Describe for ClientAddress {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_is_one_network() {
        let network = |text: &str| network_of(text.parse().unwrap()).to_string();
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("2001:db8:1:2::ffff"), "2001:db8:1:2::");
        assert_eq!(ClientAddress::Hidden.network(), None);
    }
}
