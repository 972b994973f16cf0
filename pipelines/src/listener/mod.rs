//! Connections: they are accepted, bounded, kept apart from slow senders, and served with HTTP/1.1 or HTTP/2, with or
//! without TLS.
//!
//! *Bounds.* At most `connections_max` connections have an ordinary place, and one address has at most
//! `connections_per_address_max` connections. A connection for which no ordinary place is free enters a small
//! *reserve* ([`places`]). Health requests are answered there. Any other request waits a little for an ordinary place,
//! for which the connection that has been idle longest is closed, and is then 503. If the reserve is full too, its
//! oldest connection without a complete request head is closed, so accepting never waits for a client.
//!
//! *Time limits.* From accepting a connection to its first complete request head, the TLS handshake included,
//! `head_within` may pass, and as much from the first byte of each later head of HTTP/1.1. A connection on which no
//! byte moves in either direction for 90 seconds is closed; no response takes that long. Peers that speak HTTP/2 must
//! answer pings.

mod addresses;
mod connection;
mod places;
mod server;
mod slot;
#[cfg(test)]
mod tests;

pub use self::{
    addresses::TrustedProxies,
    places::Places,
    server::{Limits, Server},
    slot::{Busy, Slot},
};
