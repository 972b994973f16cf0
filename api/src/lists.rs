//! Lists: `?limit=&cursor=`, or `?page=&limit=` with a total.
//!
//! A cursor is the key of the last item and a digest of it and the list, in hex: clients hand it back and need not
//! understand it, and one of another list, of other filters or with a letter changed is refused. Following cursors
//! visits each item once however many come in meanwhile; pages may shift.

use std::fmt::{Display, Write};

use orderflow_ingest::http::{Problem, query::invalid};
use orderflow_schemas::{OrderId, Sku};
use orderflow_sinks::database::{DatabaseError, Slice, Start};
use serde::Serialize;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::store;

/// Items of a list that does not say how many.
const LIMIT_DEFAULT: u32 = 50;
/// Items of one answer at most.
const LIMIT_MAX: u32 = 1_000;

/// Letters of a cursor at most.
const CURSOR_MAX: usize = 1_024;

/// A key that a list goes on after.
pub trait Key: Sized {
    /// The key's bytes.
    fn bytes(&self) -> Vec<u8>;

    /// The key of these bytes.
    fn of(bytes: &[u8]) -> Option<Self>;
}

impl Key for OrderId {
    fn bytes(&self) -> Vec<u8> {
        self.as_uuid().into_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        uuid::Uuid::from_slice(bytes).ok().map(Self::from_uuid)
    }
}

impl Key for Sku {
    fn bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

impl Key for u64 {
    fn bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// Which list a cursor belongs to: its name and order, and what it is filtered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListId(u64);

impl ListId {
    /// The list of this name with these filters.
    pub fn new<T: Display, const N: usize>(name: &str, filters: [Option<T>; N]) -> Self {
        let mut text = name.to_owned();
        for filter in filters {
            // A filter has no character of control in it, so none of these is part of one.
            text.push('\n');
            if let Some(filter) = filter {
                write!(text, "={filter}").expect("memory takes all text");
            }
        }
        Self(xxh3_64(text.as_bytes()))
    }

    fn encode(self, key: &impl Key) -> String {
        let key = key.bytes();
        key.iter().chain(&self.check(&key)).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("memory takes all text");
            text
        })
    }

    fn decode<K: Key>(self, cursor: &str) -> Option<K> {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !cursor.len().is_multiple_of(2) || cursor.len() > CURSOR_MAX || !cursor.bytes().all(is_hex) {
            return None;
        }
        let byte = |at| u8::from_str_radix(&cursor[at..at + 2], 16).ok();
        let bytes: Option<Vec<u8>> = (0..cursor.len()).step_by(2).map(byte).collect();
        let bytes = bytes?;
        let (key, check) = bytes.split_last_chunk()?;
        (self.check(key) == *check).then(|| K::of(key))?
    }

    fn check(self, key: &[u8]) -> [u8; 8] {
        xxh3_64_with_seed(key, self.0).to_be_bytes()
    }
}

/// The part of a list that was asked for.
#[derive(Debug)]
pub struct Paging<K> {
    list: ListId,
    slice: Slice<K>,
    is_page: bool,
}

impl<K: Key> Paging<K> {
    /// Checks the parameters of a list.
    pub fn new(
        list: ListId,
        limit: Option<u32>,
        cursor: Option<&str>,
        page: Option<u32>,
    ) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(invalid("limit", format!("must be 1 to {LIMIT_MAX}")));
        }
        let start = match (cursor, page) {
            (Some(_), Some(_)) => return Err(invalid("page", "cannot be given with `cursor`")),
            (_, Some(0)) => return Err(invalid("page", "counts from 1")),
            (_, Some(page)) => Start::Skip(u64::from(page - 1) * u64::from(limit)),
            (Some(cursor), _) => match list.decode(cursor) {
                Some(key) => Start::After(key),
                None => {
                    return Err(invalid(
                        "cursor",
                        "is not the `next_cursor` of an earlier answer for this list and its filters",
                    ));
                }
            },
            (None, None) => Start::First,
        };
        Ok(Self { list, slice: Slice { start, limit }, is_page: page.is_some() })
    }

    /// What to read: one item more than is answered, to know whether there are more.
    pub fn slice(&self) -> Slice<K>
    where
        K: Clone,
    {
        Slice { limit: self.slice.limit + 1, ..self.slice.clone() }
    }

    /// The answer, from what was read; `total` is asked for only when pages are counted.
    pub async fn answer<T>(
        &self,
        read: Result<Vec<T>, DatabaseError>,
        key: impl Fn(&T) -> K,
        total: impl Future<Output = Result<u64, DatabaseError>>,
    ) -> Result<List<T>, Problem> {
        let mut items = read.map_err(store::failed)?;
        let limit = self.slice.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| self.list.encode(&key(last)));
        let total = if self.is_page { Some(total.await.map_err(store::failed)?) } else { None };
        Ok(List { items, next_cursor, total })
    }
}

/// A part of a list.
#[derive(Debug, Serialize)]
pub struct List<T> {
    items: Vec<T>,
    /// Where the list goes on; null at its end.
    next_cursor: Option<String>,
    /// How many items the whole list has, when pages are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
}

impl<T> List<T> {
    /// The same list, each item as a reader sees it.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> List<U> {
        let Self { items, next_cursor, total } = self;
        List { items: items.into_iter().map(item).collect(), next_cursor, total }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_their_keys_and_others_are_refused() {
        let sku: Sku = "Größe-42".parse().unwrap();
        let list = |filters| ListId::new::<&str, 2>("orders", filters);
        let new = list([Some("NEW"), None]);
        let cursor = new.encode(&sku);
        assert_eq!(new.decode::<Sku>(&cursor), Some(sku));
        for other in [[None, None], [None, Some("NEW")], [Some("NEW"), Some("")], [Some("NEWER"), None]] {
            assert_eq!(list(other).decode::<Sku>(&cursor), None, "{other:?}");
        }
        assert_eq!(ListId::new("history", [Some("NEW"), None]).decode::<Sku>(&cursor), None);
        let id = OrderId::from_uuid(uuid::Uuid::from_u128(7));
        let cursor = new.encode(&id);
        assert_eq!(new.decode::<OrderId>(&cursor), Some(id));
        assert_eq!(new.decode::<OrderId>(&cursor.to_uppercase()), None);
        for at in 0..cursor.len() {
            let other = if &cursor[at..=at] == "0" { "1" } else { "0" };
            let changed = format!("{}{other}{}", &cursor[..at], &cursor[at + 1..]);
            assert_eq!(new.decode::<OrderId>(&changed), None, "{changed}");
        }
        for wrong in ["", "0", "zz", "+1", "é1", "0011", "00000000000000000000000000000000", &cursor[2..]] {
            assert_eq!(new.decode::<OrderId>(wrong), None, "{wrong}");
        }
    }
}
