//! Deserialization of large collections in bulk.
//!
//! By default serde inserts one entry after the other into a collection that grows from a cautious size. That hashes or
//! sorts every entry several times and touches twice the memory.

use std::{collections::BTreeSet, fmt, hash::Hash, marker::PhantomData};

use foldhash::{HashMap, HashMapExt};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

/// The most entries that memory is allocated for before they are read. The bytes read have passed a checksum.
const ENTRIES_MAX: usize = 1 << 24;

/// For `#[serde(deserialize_with = "…")]` on a map.
pub(crate) fn map<'de, D, K, V>(deserializer: D) -> Result<HashMap<K, V>, D::Error>
where
    D: Deserializer<'de>,
    K: Deserialize<'de> + Eq + Hash,
    V: Deserialize<'de>,
{
    deserializer.deserialize_map(MapVisitor(PhantomData))
}

/// For `#[serde(deserialize_with = "…")]` on a set that was serialized in its order.
pub(crate) fn sorted_set<'de, D, T>(deserializer: D) -> Result<BTreeSet<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Ord,
{
    Vec::deserialize(deserializer).map(BTreeSet::from_iter)
}

struct MapVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for MapVisitor<K, V>
where
    K: Deserialize<'de> + Eq + Hash,
    V: Deserialize<'de>,
{
    type Value = HashMap<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let entries = access.size_hint().unwrap_or(0).min(ENTRIES_MAX);
        let mut map = HashMap::with_capacity(entries);
        while let Some((key, value)) = access.next_entry()? {
            map.insert(key, value);
        }
        Ok(map)
    }
}
