//! The memory of idempotency keys: for 24 hours of record time, or for a bounded number of keys.
//!
//! The oldest go first, by the log's order, so forgetting is as deterministic as everything else. A key is kept as
//! 128 bits of BLAKE3 over its scope and its text: a client can choose keys, but not ones that collide with another
//! scope's.

use std::{collections::VecDeque, time::Duration};

use foldhash::HashMap;
use orderflow_schemas::{Timestamp, commands::Fingerprint};
use serde::{Deserialize, Serialize};

/// How long, in record time, a key is remembered.
pub const REMEMBERED_FOR: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Digest(u128);

impl Digest {
    /// The digest of a key within its scope (a customer, a SKU).
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

/// What a key stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Remembered<T> {
    pub(crate) fingerprint: Fingerprint,
    pub(crate) value: T,
}

/// The keys, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keys<T> {
    known: HashMap<Digest, (Timestamp, Remembered<T>)>,
    order: VecDeque<(Timestamp, Digest)>,
    newest: Timestamp,
    /// How many were forgotten because there were too many.
    pub(crate) crowded_out: u64,
}

impl<T> Default for Keys<T> {
    fn default() -> Self {
        Self {
            known: HashMap::default(),
            order: VecDeque::new(),
            newest: Timestamp::default(),
            crowded_out: 0,
        }
    }
}

impl<T> Keys<T> {
    /// What a key stands for at `time`.
    pub(crate) fn get(&self, digest: Digest, time: Timestamp) -> Option<&Remembered<T>> {
        let horizon = self.newest.max(time).minus(REMEMBERED_FOR);
        self.known.get(&digest).filter(|(since, _)| *since >= horizon).map(|(_, value)| value)
    }

    /// Remembers a key that stands for nothing at `time`, and forgets what is too old or too much.
    pub(crate) fn remember(
        &mut self,
        digest: Digest,
        value: Remembered<T>,
        time: Timestamp,
        keys_max: usize,
    ) {
        self.newest = self.newest.max(time);
        let horizon = self.newest.minus(REMEMBERED_FOR);
        // The old go first: one of them may be this very key.
        while self.order.front().is_some_and(|(since, _)| *since < horizon) {
            self.forget_oldest();
        }
        if self.known.insert(digest, (self.newest, value)).is_none() {
            self.order.push_back((self.newest, digest));
        }
        while self.order.len() > keys_max {
            self.forget_oldest();
            self.crowded_out += 1;
        }
    }

    fn forget_oldest(&mut self) {
        if let Some((_, oldest)) = self.order.pop_front() {
            self.known.remove(&oldest);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.order.len()
    }
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
    fn scope_and_key_cannot_be_confused() {
        assert_ne!(Digest::of("ab", "c"), Digest::of("a", "bc"));
    }
}
