//! Names of ingest sources: new at each start, so that no two processes ever number under the same one.

use std::hash::{BuildHasher, RandomState};

use compact_str::CompactString;
use orderflow_schemas::Source;
use uuid::Uuid;

const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_CHARS: u32 = 13;

/// `ingest-` and 13 random characters of Crockford's base 32, 65 bits.
pub fn fresh() -> Source {
    let mut seed = blake3::Hasher::new();
    seed.update(Uuid::now_v7().as_bytes());
    seed.update(&std::process::id().to_le_bytes());
    // The keys of a `RandomState` come from the operating system.
    seed.update(&RandomState::new().hash_one(0).to_le_bytes());
    let hash = seed.finalize();
    let (bits, _) = hash.as_bytes().split_first_chunk().expect("a BLAKE3 hash has 32 bytes");
    let bits = u128::from_be_bytes(*bits);
    let mut name = CompactString::const_new("ingest-");
    for at in 0..RANDOM_CHARS {
        let five = (bits >> (5 * at)) as usize & 31;
        name.push(char::from(LETTERS[five]));
    }
    Source::new(name).expect("letters, digits and a dash make a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_transient_and_do_not_repeat() {
        let names: std::collections::HashSet<_> = (0..1000).map(|_| fresh()).collect();
        assert_eq!(names.len(), 1000);
        assert!(names.iter().all(|name| name.is_transient() && name.as_str().len() == 20));
    }
}
