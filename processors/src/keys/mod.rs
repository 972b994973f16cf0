//! The memory of idempotency keys: each for 24 hours of record time, and at most a bounded number of them.
//!
//! The oldest keys are forgotten first, in the order of the log, so forgetting is as deterministic as everything else.
//! A key is kept as 128 bits of BLAKE3 over its scope and its text. A client can choose keys, but not ones that collide
//! with a key of another scope.

use std::{collections::VecDeque, hash::BuildHasher, time::Duration};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use orderflow_schemas::{Timestamp, commands::Fingerprint};
use serde::{Deserialize, Serialize};

/// How long, in record time, a key is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Digest(u128);

impl Digest {
    /// The digest of a key within its scope: a customer or a SKU.
    pub(crate) fn of(scope: &str, key: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(scope.len() as u64).to_le_bytes());
        hasher.update(scope.as_bytes());
        hasher.update(key.as_bytes());
        let mut bits = [0; 16];
        hasher.finalize_xof().fill(&mut bits);
        Self(u128::from_le_bytes(bits))
    }
}

/// The request that a key was first used for, and its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered<T> {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) value: T,
}

/// A key, the record time since which it is remembered, and what it was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeyEntry<T> {
    since: Timestamp,
    digest: Digest,
    value: Remembered<T>,
}

/// The remembered keys. Entries are numbered in the order of arrival; a hash table finds an entry's number by its
/// digest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Stored<T>")]
pub(crate) struct Keys<T> {
    /// The entries, oldest first.
    entries: VecDeque<KeyEntry<T>>,
    newest: Timestamp,
    /// The number of keys that were forgotten early because there were more than the bound.
    pub(crate) crowded_out: u64,
    /// The number of the oldest entry, or of the next one if there is none. Numbers wrap around.
    #[serde(skip)]
    oldest: u32,
    #[serde(skip)]
    numbers: HashTable<u32>,
    #[serde(skip)]
    hasher: RandomState,
}

/// The fields of [`Keys`] that a snapshot contains.
#[derive(Deserialize)]
struct Stored<T> {
    entries: VecDeque<KeyEntry<T>>,
    newest: Timestamp,
    crowded_out: u64,
}

impl<T> From<Stored<T>> for Keys<T> {
    fn from(Stored { entries, newest, crowded_out }: Stored<T>) -> Self {
        let mut keys = Self { entries, newest, crowded_out, ..Self::default() };
        keys.numbers.reserve(keys.entries.len(), |_| unreachable!("the table is empty"));
        for (number, entry) in (0..).zip(&keys.entries) {
            let hash = keys.hasher.hash_one(entry.digest);
            keys.numbers.insert_unique(hash, number, |_| unreachable!("the table has room"));
        }
        keys
    }
}

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            newest: Timestamp::default(),
            crowded_out: 0,
            oldest: 0,
            numbers: HashTable::new(),
            hasher: RandomState::default(),
        }
    }
}

impl<T: PartialEq> PartialEq for Keys<T> {
    fn eq(&self, other: &Self) -> bool {
        (&self.entries, self.newest, self.crowded_out) == (&other.entries, other.newest, other.crowded_out)
    }
}

impl<T: Eq> Eq for Keys<T> {}

impl<T> Keys<T> {
    /// What the key was used for, if it is remembered at `time`.
    pub(crate) fn get(&self, digest: Digest, time: Timestamp) -> Option<&Remembered<T>> {
        let horizon = self.newest.max(time).minus(REMEMBERED_FOR);
        let entry = &self.entries[self.place(digest)?];
        (entry.since >= horizon).then_some(&entry.value)
    }

    /// Remembers a key that is not remembered at `time`. Forgets the keys that are too old, and the oldest ones beyond
    /// `keys_max`.
    pub(crate) fn remember(
        &mut self,
        digest: Digest,
        value: Remembered<T>,
        time: Timestamp,
        keys_max: usize,
    ) {
        self.newest = self.newest.max(time);
        let horizon = self.newest.minus(REMEMBERED_FOR);
        // Keys that are too old go first, since this very key may be one of them.
        while self.entries.front().is_some_and(|oldest| oldest.since < horizon) {
            self.forget_oldest();
        }
        match self.place(digest) {
            Some(place) => self.entries[place].value = value,
            None => self.push(KeyEntry { since: self.newest, digest, value }),
        }
        while self.entries.len() > keys_max {
            self.forget_oldest();
            self.crowded_out += 1;
        }
    }

    /// The index of the key's entry.
    fn place(&self, digest: Digest) -> Option<usize> {
        let is_it = |number: &u32| self.entries[place(*number, self.oldest)].digest == digest;
        self.numbers.find(self.hasher.hash_one(digest), is_it).map(|number| place(*number, self.oldest))
    }

    fn push(&mut self, entry: KeyEntry<T>) {
        let (hash, number) =
            (self.hasher.hash_one(entry.digest), self.oldest.wrapping_add(self.entries.len() as u32));
        self.entries.push_back(entry);
        let (entries, oldest, hasher) = (&self.entries, self.oldest, &self.hasher);
        let rehash = |number: &u32| hasher.hash_one(entries[place(*number, oldest)].digest);
        self.numbers.insert_unique(hash, number, rehash);
    }

    fn forget_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        let hash = self.hasher.hash_one(entry.digest);
        if let Ok(found) = self.numbers.find_entry(hash, |number| *number == self.oldest) {
            found.remove();
        }
        self.oldest = self.oldest.wrapping_add(1);
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// The index of the entry with this number, counted from the oldest one.
fn place(number: u32, oldest: u32) -> usize {
    number.wrapping_sub(oldest) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn remember(keys: &mut Keys<u8>, key: &str, seconds: i64) {
        let value = Remembered { fingerprint: Fingerprint(1), value: 7 };
        keys.remember(Digest::of("c", key), value, at(seconds), 3);
    }

    #[test]
    fn oldest_keys_go_first_when_there_are_too_many() {
        let mut keys = Keys::default();
        for (second, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            remember(&mut keys, key, second as i64);
        }
        assert!(keys.get(Digest::of("c", "a"), at(4)).is_none());
        assert!(keys.get(Digest::of("c", "b"), at(4)).is_some());
        assert_eq!((keys.len(), keys.crowded_out), (3, 1));
    }

    #[test]
    fn keys_are_forgotten_after_a_day_of_record_time() {
        let mut keys = Keys::default();
        remember(&mut keys, "a", 0);
        assert!(keys.get(Digest::of("c", "a"), at(DAY)).is_some());
        assert!(keys.get(Digest::of("c", "a"), at(DAY + 1)).is_none(), "also when no other key came since");
        remember(&mut keys, "b", DAY + 1);
        assert_eq!((keys.len(), keys.crowded_out), (1, 0));
    }

    #[test]
    fn a_key_that_was_forgotten_can_be_remembered_again() {
        let mut keys = Keys::default();
        remember(&mut keys, "a", 0);
        remember(&mut keys, "a", DAY + 1);
        assert!(keys.get(Digest::of("c", "a"), at(DAY + 2)).is_some());
        assert_eq!((keys.len(), keys.crowded_out), (1, 0));
    }

    #[test]
    fn a_time_that_runs_backwards_brings_no_key_back() {
        let mut keys = Keys::default();
        remember(&mut keys, "a", 0);
        remember(&mut keys, "b", DAY + 1);
        assert!(keys.get(Digest::of("c", "a"), at(1)).is_none());
        assert!(keys.get(Digest::of("c", "b"), at(1)).is_some());
    }

    #[test]
    fn keys_are_found_again_after_a_snapshot_and_when_their_numbers_wrap_around() {
        let mut keys = Keys { oldest: u32::MAX - 50, ..Keys::default() };
        for second in 0..200 {
            remember(&mut keys, &second.to_string(), second);
            if second == 100 {
                assert!(keys.oldest < 100, "they have wrapped around");
                let bytes = postcard::to_stdvec(&keys).unwrap();
                let back = postcard::from_bytes(&bytes).unwrap();
                assert_eq!(keys, back);
                keys = back;
            }
            let found =
                (0..=second).filter(|key| keys.get(Digest::of("c", &key.to_string()), at(second)).is_some());
            assert_eq!(found.collect::<Vec<_>>(), ((second - 2).max(0)..=second).collect::<Vec<_>>());
        }
    }

    #[test]
    fn scope_and_key_cannot_be_confused() {
        assert_ne!(Digest::of("ab", "c"), Digest::of("a", "bc"));
    }
}
