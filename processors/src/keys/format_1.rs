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
