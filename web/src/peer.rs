//! Where a request's connection comes from.

use std::net::IpAddr;

/// The address at the other end of a request's connection, which may be a proxy's. An IPv4 address that came mapped into
/// IPv6 is the IPv4 address. The listener puts it into a request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub IpAddr);
