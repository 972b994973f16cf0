//! The partition of a key: a hash of our own, the same on every engine.
//!
//! The partition is the low 16 bits of XXH3-64 with seed 0, modulo the number of partitions. Sixteen bits fit into an
//! order id and spread keys evenly over any sensible number of partitions.

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::topic::Partition;

/// The low 16 bits of a key's XXH3-64 hash. They determine the partition of everything about the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RoutingHash(pub u16);

impl RoutingHash {
    /// The routing hash of a customer id or a SKU.
    pub fn of(key: &str) -> Self {
        Self(xxh3_64(key.as_bytes()) as u16)
    }

    /// The partition of the key among `partitions`, which must be at least 1.
    pub fn partition(self, partitions: u16) -> Partition {
        assert!(partitions > 0, "a topic has at least one partition");
        Partition(self.0 % partitions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_the_published_one_and_never_changes() {
        // A change here would send a customer's next order to another partition than the last.
        assert_eq!(RoutingHash::of("").0, 0x94c2, "XXH3-64 of nothing is 2d06800538d394c2");
        assert_eq!(RoutingHash(7).partition(4), Partition(3));
    }
}
