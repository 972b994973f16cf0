//! The keys as snapshots of format 1 have them: each once by its digest and once in the order they came.

use std::collections::VecDeque;

use foldhash::HashMap;
use orderflow_schemas::Timestamp;
use serde::Deserialize;

use super::{Digest, Entry, Keys, Remembered, Stored};

#[derive(Debug, Deserialize)]
pub(crate) struct Format1<T> {
    known: HashMap<Digest, (Timestamp, Remembered<T>)>,
    order: VecDeque<(Timestamp, Digest)>,
    newest: Timestamp,
    crowded_out: u64,
}

impl<T: Copy> From<Format1<T>> for Keys<T> {
    fn from(old: Format1<T>) -> Self {
        let entry = |(since, digest)| {
            let (_, value) = *old.known.get(&digest)?;
            Some(Entry { since, digest, value })
        };
        let entries = old.order.into_iter().filter_map(entry).collect();
        Stored { entries, newest: old.newest, crowded_out: old.crowded_out }.into()
    }
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::commands::Fingerprint;

    use super::*;

    #[test]
    fn keys_of_format_1_are_read_back_in_their_order() {
        let mut keys = Keys::default();
        for n in 0..20u8 {
            let value = Remembered { fingerprint: Fingerprint(u128::from(n)), value: n };
            let time = Timestamp::from_micros(i64::from(n / 3));
            keys.remember(Digest::of("c", &n.to_string()), value, time, 15);
        }
        // The fields of format 1, one after the other.
        let known: HashMap<_, _> =
            keys.entries.iter().map(|entry| (entry.digest, (entry.since, entry.value))).collect();
        let order: VecDeque<_> = keys.entries.iter().map(|entry| (entry.since, entry.digest)).collect();
        let bytes = postcard::to_stdvec(&(known, order, keys.newest, keys.crowded_out)).unwrap();
        let old: Format1<u8> = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(Keys::from(old), keys);
        assert_eq!((keys.len(), keys.crowded_out), (15, 5));
    }
}
