//! The connections of each client address, and their bound.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::IpAddr,
    str::FromStr,
    sync::{Arc, Mutex},
};

use anyhow::{Result, anyhow};
use ipnet::IpNet;
use orderflow_web::network_of;
use serde::{Deserialize, Serialize};

/// The networks of proxies, which connect in the name of many clients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this address belongs to a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = anyhow::Error;

    /// Parses networks such as `10.0.0.0/8` and single addresses, separated by commas.
    fn from_str(text: &str) -> Result<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(network).collect::<Result<_>>().map(Self)
    }
}

fn network(text: &str) -> Result<IpNet> {
    let address = text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
    let network = address.or_else(|_| text.parse::<IpNet>());
    network.map_err(|_| anyhow!("`{text}` is neither an IP address nor a network such as 10.0.0.0/8"))
}

impl TryFrom<String> for TrustedProxies {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<TrustedProxies> for String {
    fn from(TrustedProxies(networks): TrustedProxies) -> Self {
        networks.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// Counts the open connections of each client. It remembers only clients with open connections.
#[derive(Debug)]
pub(super) struct Addresses {
    open: Mutex<HashMap<IpAddr, usize>>,
    connections_max: usize,
    exempt: TrustedProxies,
}

/// A connection that is counted for its client until it is dropped.
#[derive(Debug)]
pub(super) struct Counted {
    address: IpAddr,
    addresses: Arc<Addresses>,
    /// `None` for a client that is exempt from the bound.
    client: Option<IpAddr>,
}

impl Addresses {
    /// At most `connections_max` connections for each client that is not exempt.
    pub(super) fn new(connections_max: usize, exempt: TrustedProxies) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), connections_max, exempt })
    }

    /// Counts one more connection from this address; `None` if its client has too many.
    pub(super) fn count(self: &Arc<Self>, address: IpAddr) -> Option<Counted> {
        if self.exempt.contains(address) {
            return Some(Counted { address, addresses: self.clone(), client: None });
        }
        let client = network_of(address);
        let mut open = self.open.lock().expect("nothing panics under it");
        let connections = open.entry(client).or_insert(0);
        if *connections >= self.connections_max {
            return None;
        }
        *connections += 1;
        Some(Counted { address, addresses: self.clone(), client: Some(client) })
    }
}

impl Counted {
    /// The address that the connection comes from.
    pub(super) fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut open = self.addresses.open.lock().expect("nothing panics under it");
        if let Entry::Occupied(mut connections) = open.entry(client) {
            *connections.get_mut() -= 1;
            if *connections.get() == 0 {
                connections.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_a_bound_except_trusted_proxies_and_closed_connections_are_forgotten() {
        let addresses = Addresses::new(2, "10.0.0.0/8, 2001:db8::1".parse().unwrap());
        let held: Vec<_> =
            ["192.0.2.1", "::ffff:192.0.2.1"].map(|text| addresses.count(ip(text)).unwrap()).into();
        assert!(addresses.count(ip("192.0.2.1")).is_none());
        assert!(addresses.count(ip("192.0.2.2")).is_some(), "another client has its own bound");
        for _ in 0..5 {
            std::mem::forget(addresses.count(ip("10.1.2.3")).unwrap());
            std::mem::forget(addresses.count(ip("::ffff:10.1.2.3")).unwrap());
            std::mem::forget(addresses.count(ip("2001:db8::1")).unwrap());
        }
        drop(held);
        assert!(addresses.open.lock().unwrap().is_empty());
    }

    #[test]
    fn proxies_are_networks_and_addresses() {
        let proxies: TrustedProxies = "10.0.0.0/8, ::1".parse().unwrap();
        assert_eq!(String::from(proxies), "10.0.0.0/8,::1/128");
        assert_eq!("".parse::<TrustedProxies>().unwrap(), TrustedProxies::default());
        let error = "10.0.0.0/33".parse::<TrustedProxies>().unwrap_err().to_string();
        assert!(error.contains("`10.0.0.0/33`"), "{error}");
    }
}
