//! Lists: `?limit=&cursor=`, or `?page=&limit=` with a total.
//!
//! A cursor is the key of the last item, in hex: clients hand it back and need not understand it. Following cursors
//! visits each item once however many come in meanwhile; pages may shift.

use std::fmt::Write;

use orderflow_ingest::http::{Problem, query::invalid};
use orderflow_schemas::{OrderId, Sku};
use orderflow_sinks::database::{DatabaseError, Slice, Start};
use serde::Serialize;

use crate::store;

/// Items of a list that does not say how many.
const LIMIT_DEFAULT: u32 = 50;
/// Items of one answer at most.
const LIMIT_MAX: u32 = 1_000;

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

fn encode(key: &impl Key) -> String {
    key.bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes all text");
        text
    })
}

fn decode<K: Key>(cursor: &str) -> Option<K> {
    if !cursor.len().is_multiple_of(2) || !cursor.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let byte = |at| u8::from_str_radix(&cursor[at..at + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..cursor.len()).step_by(2).map(byte).collect();
    K::of(&bytes?)
}

/// The part of a list that was asked for.
#[derive(Debug)]
pub struct Paging<K> {
    slice: Slice<K>,
    is_page: bool,
}

impl<K: Key> Paging<K> {
    /// Checks the parameters of a list.
    pub fn new(limit: Option<u32>, cursor: Option<&str>, page: Option<u32>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(invalid("limit", format!("must be 1 to {LIMIT_MAX}")));
        }
        let start = match (cursor, page) {
            (Some(_), Some(_)) => return Err(invalid("page", "cannot be given with `cursor`")),
            (_, Some(0)) => return Err(invalid("page", "counts from 1")),
            (_, Some(page)) => Start::Skip(u64::from(page - 1) * u64::from(limit)),
            (Some(cursor), _) => match decode(cursor) {
                Some(key) => Start::After(key),
                None => return Err(invalid("cursor", "is not the `next_cursor` of an earlier answer")),
            },
            (None, None) => Start::First,
        };
        Ok(Self { slice: Slice { start, limit }, is_page: page.is_some() })
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
        let next_cursor = items.last().filter(|_| more).map(|last| encode(&key(last)));
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
        assert_eq!(decode::<Sku>(&encode(&sku)), Some(sku));
        assert_eq!(decode::<u64>(&encode(&7u64)), Some(7));
        for wrong in ["", "0", "zz", "+1", "é1", "0011"] {
            assert_eq!(decode::<OrderId>(wrong), None, "{wrong}");
        }
    }
}
