//! Paging through lists: `?limit=&cursor=`, or `?page=&limit=` with a total.
//!
//! A cursor is the key of the last item and a digest of the key and the list, in hex. Clients send it back and need not
//! understand it. A cursor of another list, of other filters or with a changed letter is refused. Following cursors
//! visits each item once, however many items are added meanwhile; pages may shift.

use std::{
    borrow::Cow,
    fmt::{Display, Write},
};

use orderflow_schemas::{
    OrderId, Sku,
    lists::{Counted, Slice, Start},
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Serialize, Serializer, ser::SerializeStruct};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::{Problem, query::invalid};

/// The limit of a request that states none.
const LIMIT_DEFAULT: u32 = 50;
/// The most items of one response.
const LIMIT_MAX: u32 = 1_000;

/// The most items that pages reach: a page reads every item before it. Elasticsearch has the same bound by default.
const PAGED_ITEMS_MAX: u64 = 10_000;
/// The most letters of a cursor.
const CURSOR_MAX: usize = 1_024;

/// The most items of the answer; 50 if absent.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only the schema is used")]
pub struct Limit(#[schemars(range(min = 1, max = LIMIT_MAX))] u32);

/// The `next_cursor` of an earlier answer for the same list and filters: the list goes on from there.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only the schema is used")]
pub struct Cursor(#[schemars(extend("format" = "cursor"))] String);

/// The number of a page, from 1, in place of `cursor`. The answer then has `total`. Pages reach the first 10,000 items.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "only the schema is used")]
pub struct Page(#[schemars(range(min = 1))] u32);

/// The key of an item, after which a list can continue.
pub trait PageKey: Sized {
    /// The bytes of the key.
    fn bytes(&self) -> Vec<u8>;

    /// The key with these bytes; `None` if there is none.
    fn of(bytes: &[u8]) -> Option<Self>;
}

impl PageKey for OrderId {
    fn bytes(&self) -> Vec<u8> {
        self.as_uuid().into_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        uuid::Uuid::from_slice(bytes).ok().map(Self::from_uuid)
    }
}

impl PageKey for Sku {
    fn bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        std::str::from_utf8(bytes).ok()?.parse().ok()
    }
}

impl PageKey for uuid::Uuid {
    fn bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        Self::from_slice(bytes).ok()
    }
}

impl PageKey for u64 {
    fn bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn of(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// The identity of the list that a cursor belongs to: a digest of its name and its filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListId(u64);

impl ListId {
    /// The list of this name with these filters.
    pub fn new<T: Display, const N: usize>(name: &str, filters: [Option<T>; N]) -> Self {
        let mut text = name.to_owned();
        for filter in filters {
            // A filter contains no control characters, so it contains none of these line breaks.
            text.push('\n');
            if let Some(filter) = filter {
                write!(text, "={filter}").expect("memory takes all text");
            }
        }
        Self(xxh3_64(text.as_bytes()))
    }

    fn encode(self, key: &impl PageKey) -> String {
        let key = key.bytes();
        key.iter().chain(&self.check(&key)).fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("memory takes all text");
            text
        })
    }

    fn decode<K: PageKey>(self, cursor: &str) -> Option<K> {
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

/// The part of a list that a request asked for.
#[derive(Clone, Debug)]
pub struct Paging<K> {
    list: ListId,
    slice: Slice<K>,
    is_page: bool,
}

impl<K: PageKey> Paging<K> {
    /// Checks the parameters of a list. The 400 names the wrong parameter.
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
            (_, Some(page)) => skip(page, limit)?,
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

    /// The slice to read: one item more than the response gets, to know whether there are more.
    pub fn slice(&self) -> Slice<K>
    where
        K: Clone,
    {
        Slice { limit: self.slice.limit + 1, ..self.slice.clone() }
    }

    /// Whether the response states how many items the whole list has.
    pub fn is_counted(&self) -> bool {
        self.is_page
    }

    /// The response, made of the items that were read.
    pub fn answer<T>(&self, mut items: Vec<T>, key: impl Fn(&T) -> K, total: Option<Counted>) -> List<T> {
        let limit = self.slice.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| self.list.encode(&key(last)));
        List { items, next_cursor, total }
    }
}

/// The start of a page. Every item before a page is read and dropped, so pages reach only a bounded number of items.
fn skip<K>(page: u32, limit: u32) -> Result<Start<K>, Problem> {
    if u64::from(page) * u64::from(limit) <= PAGED_ITEMS_MAX {
        return Ok(Start::Skip(u64::from(page - 1) * u64::from(limit)));
    }
    let detail = format!(
        "pages reach the first {PAGED_ITEMS_MAX} items of a list; to go on from there, follow `next_cursor` with \
         `cursor`"
    );
    Err(Problem::bad_request("page-too-deep", detail).with_member("parameter", "page"))
}

/// A part of a list, as the response shows it.
#[derive(Debug)]
pub struct List<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
    total: Option<Counted>,
}

impl<T> List<T> {
    /// The same list, with each item in the form that clients see.
    pub fn map<U>(self, item: impl FnMut(T) -> U) -> List<U> {
        let Self { items, next_cursor, total } = self;
        List { items: items.into_iter().map(item).collect(), next_cursor, total }
    }
}

impl<T: Serialize> Serialize for List<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let counted = if self.total.is_some() { 2 } else { 0 };
        let mut list = serializer.serialize_struct("List", 2 + counted)?;
        list.serialize_field("items", &self.items)?;
        // The cursor is null at the end of the list.
        list.serialize_field("next_cursor", &self.next_cursor)?;
        if let Some(Counted { count, is_exact }) = self.total {
            list.serialize_field("total", &count)?;
            list.serialize_field("total_relation", if is_exact { "eq" } else { "gte" })?;
        }
        list.end()
    }
}

impl<T: JsonSchema> JsonSchema for List<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A part of a list. `total` is there if the request asked for a page.",
            "type": "object",
            "properties": {
                "items": { "type": "array", "items": generator.subschema_for::<T>() },
                "next_cursor": {
                    "description": "The `cursor` of the next part; null at the end of the list.",
                    "type": ["string", "null"],
                },
                "total": { "description": "The items of the whole list.", "type": "integer", "minimum": 0 },
                "total_relation": {
                    "description": "Whether `total` is exact, or there are at least so many items.",
                    "enum": ["eq", "gte"],
                },
            },
            "required": ["items", "next_cursor"],
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_reach_a_bounded_number_of_items() {
        let paging = |limit, page| Paging::<OrderId>::new(ListId(0), Some(limit), None, Some(page));
        assert_eq!(paging(50, 200).unwrap().slice().start, Start::Skip(9_950));
        for (limit, page) in [(50, 201), (1_000, 11), (1, u32::MAX)] {
            let problem = paging(limit, page).unwrap_err();
            assert_eq!((problem.status().as_u16(), problem.slug()), (400, "page-too-deep"));
            assert!(problem.detail().contains("cursor"), "{problem}");
        }
    }

    #[test]
    fn a_total_says_whether_it_is_all() {
        let paging = Paging::<u64>::new(ListId(0), Some(2), None, Some(1)).unwrap();
        let total = |is_exact| Some(Counted { count: 7, is_exact });
        let json = |total| serde_json::to_value(paging.answer(vec![1, 2], |item| *item, total)).unwrap();
        assert_eq!(
            json(total(true)),
            serde_json::json!({
                "items": [1, 2], "next_cursor": null, "total": 7, "total_relation": "eq",
            })
        );
        assert_eq!(json(total(false))["total_relation"], "gte");
        assert!(json(None).get("total").is_none());
    }

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
