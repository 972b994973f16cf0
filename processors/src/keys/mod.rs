//! The memory of idempotency keys: each for 24 hours of record time, and at most a bounded number of them.
//!
//! The oldest keys are forgotten first, in the order of the log, so forgetting is as deterministic as everything else.
//! A key is kept as 128 bits of BLAKE3 over its scope and its text. A client can choose keys, but not ones that collide
//! with a key of another scope. `decide` looks a key up and puts it into the event, and `evolve` remembers it from
//! there, so no command is decided twice under one key.

mod scope;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, hash::BuildHasher, time::Duration};

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use orderflow_schemas::{
    Timestamp,
    events::{KeyDigest, RejectionCode, UsedKey},
};
use serde::{Deserialize, Serialize};

pub(crate) use self::scope::{digest_of_placing, of_change, of_placing};

/// How long, in record time, a key is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

/// Why a request is rejected whose key was used for another request.
pub(crate) const REUSED: &str = "the idempotency key was used before for a different request";
/// Why a request is rejected whose first attempt was.
pub(crate) const REJECTED_BEFORE: &str =
    "the first request under this idempotency key was refused, and a repeat of it is too";

/// The outcome of the first request under the key of a change. Rejections are remembered too, so that a repeat gets the
/// same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome<T> {
    /// The change was made.
    Done(T),
    /// The change was rejected, for a reason that a repeat cannot remove.
    Rejected(RejectionCode),
}

/// The meaning of a command's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use<'a, T> {
    /// The command has no key, or a key that is not remembered.
    First(Option<UsedKey>),
    /// The command repeats the one that had this result.
    Repeat(&'a T),
    /// The key belongs to another request.
    Reuse,
}

/// A key, the record time since which it is remembered, and the result of its first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KeyEntry<T> {
    since: Timestamp,
    key: UsedKey,
    value: T,
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
            let hash = keys.hasher.hash_one(entry.key.digest);
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
    /// The meaning of a key at `time`.
    pub(crate) fn find(&self, key: Option<UsedKey>, time: Timestamp) -> Use<'_, T> {
        match key.and_then(|key| Some((key.fingerprint, self.get(key.digest, time)?))) {
            None => Use::First(key),
            Some((fingerprint, known)) if known.key.fingerprint == fingerprint => Use::Repeat(&known.value),
            Some(_) => Use::Reuse,
        }
    }

    fn get(&self, digest: KeyDigest, time: Timestamp) -> Option<&KeyEntry<T>> {
        let horizon = self.newest.max(time).minus(REMEMBERED_FOR);
        let entry = &self.entries[self.place(digest)?];
        (entry.since >= horizon).then_some(entry)
    }

    /// Remembers a key that is not remembered at `time`. Forgets the keys that are too old, and the oldest ones beyond
    /// `keys_max`.
    pub(crate) fn remember(&mut self, key: UsedKey, value: T, time: Timestamp, keys_max: usize) {
        self.newest = self.newest.max(time);
        let horizon = self.newest.minus(REMEMBERED_FOR);
        // Keys that are too old go first, since this very key may be one of them.
        while self.entries.front().is_some_and(|oldest| oldest.since < horizon) {
            self.forget_oldest();
        }
        match self.place(key.digest) {
            Some(place) => {
                let entry = &mut self.entries[place];
                (entry.key, entry.value) = (key, value);
            }
            None => self.push(KeyEntry { since: self.newest, key, value }),
        }
        while self.entries.len() > keys_max {
            self.forget_oldest();
            self.crowded_out += 1;
        }
    }

    /// The result of the first request under this key, if the key is still remembered.
    pub(crate) fn get_mut(&mut self, digest: KeyDigest) -> Option<&mut T> {
        let place = self.place(digest)?;
        Some(&mut self.entries[place].value)
    }

    /// The index of the key's entry.
    fn place(&self, digest: KeyDigest) -> Option<usize> {
        let is_it = |number: &u32| self.entries[place(*number, self.oldest)].key.digest == digest;
        self.numbers.find(self.hasher.hash_one(digest), is_it).map(|number| place(*number, self.oldest))
    }

    fn push(&mut self, entry: KeyEntry<T>) {
        let (hash, number) =
            (self.hasher.hash_one(entry.key.digest), self.oldest.wrapping_add(self.entries.len() as u32));
        self.entries.push_back(entry);
        let (entries, oldest, hasher) = (&self.entries, self.oldest, &self.hasher);
        let rehash = |number: &u32| hasher.hash_one(entries[place(*number, oldest)].key.digest);
        self.numbers.insert_unique(hash, number, rehash);
    }

    fn forget_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        let hash = self.hasher.hash_one(entry.key.digest);
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
