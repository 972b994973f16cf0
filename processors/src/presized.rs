//! Reading maps back with room for all their entries at once.
//!
//! What serde's own maps do, growing from a cautious size, hashes every entry several times and touches twice the
//! memory: of a restart with millions of orders it is a good part. The length is believed up to a bound only; a
//! snapshot's checksum has been checked before it is read, so a wrong length would be a mistake of this program.

use std::{fmt, hash::Hash, marker::PhantomData};

use foldhash::{HashMap, HashMapExt};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};

/// The most entries that room is made for before they come.
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
