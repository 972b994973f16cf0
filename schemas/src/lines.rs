//! The lines of an order: SKUs that stock reserves and the catalogue prices, or items that nobody stocks.
//!
//! All lines of an order are of one kind, which the lifecycle determines. In JSON the lines are one list, and each line
//! says what it is by its fields. In snapshots, which have no field names, the kind comes first.

use std::{borrow::Cow, fmt, sync::Arc};

use compact_str::CompactString;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
};

use crate::{ids::Sku, money::Amount};

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderLine {
    /// The SKU ordered.
    pub sku: Sku,
    /// Units ordered, 1 to 1,000,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub quantity: u32,
    /// The price of one unit in minor units; null while unknown. In a command it is the price that the customer
    /// expects, or that an admin or a service sets. In an order it is a set price, or the price that stock has
    /// confirmed.
    #[serde(default)]
    pub unit_price: Option<Amount>,
}

/// One item of an order that nobody stocks or prices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemLine {
    /// The item, in the customer's words.
    #[schemars(with = "String", length(min = 1, max = 255))]
    pub item: CompactString,
    /// The number of pieces, at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub quantity: u32,
}

/// The lines of an order; cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lines {
    /// SKUs with quantities and prices.
    Skus(Arc<[OrderLine]>),
    /// Items by name.
    Items(Arc<[ItemLine]>),
}

impl Lines {
    /// The lines that stock counts; none if the order is for items.
    pub fn skus(&self) -> &[OrderLine] {
        match self {
            Self::Skus(lines) => lines,
            Self::Items(_) => &[],
        }
    }

    /// The items; none if the order is for SKUs.
    pub fn items(&self) -> &[ItemLine] {
        match self {
            Self::Skus(_) => &[],
            Self::Items(items) => items,
        }
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.skus().len() + self.items().len()
    }

    /// Whether there is no line.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for Lines {
    fn default() -> Self {
        Self::Skus(Arc::default())
    }
}

impl From<Vec<OrderLine>> for Lines {
    fn from(lines: Vec<OrderLine>) -> Self {
        Self::Skus(lines.into())
    }
}

impl From<Vec<ItemLine>> for Lines {
    fn from(items: Vec<ItemLine>) -> Self {
        Self::Items(items.into())
    }
}

impl Serialize for Lines {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            lines if !serializer.is_human_readable() => (lines.skus(), lines.items()).serialize(serializer),
            Self::Skus(lines) => lines.serialize(serializer),
            Self::Items(items) => items.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_seq(LinesVisitor);
        }
        let (lines, items): (Arc<[OrderLine]>, Arc<[ItemLine]>) = Deserialize::deserialize(deserializer)?;
        Ok(if items.is_empty() { Self::Skus(lines) } else { Self::Items(items) })
    }
}

/// A line of either kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnyLine {
    sku: Option<Sku>,
    item: Option<CompactString>,
    quantity: u32,
    #[serde(default)]
    unit_price: Option<Amount>,
}

struct LinesVisitor;

impl<'de> Visitor<'de> for LinesVisitor {
    type Value = Lines;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lines of an order")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Lines, A::Error> {
        let (mut lines, mut items) = (Vec::new(), Vec::new());
        while let Some(line) = access.next_element::<AnyLine>()? {
            match line {
                AnyLine { sku: Some(sku), item: None, quantity, unit_price } => {
                    lines.push(OrderLine { sku, quantity, unit_price });
                }
                AnyLine { sku: None, item: Some(item), quantity, unit_price: None } => {
                    items.push(ItemLine { item, quantity });
                }
                _ => return Err(de::Error::custom("a line names either a SKU or an item without a price")),
            }
        }
        match (lines.is_empty(), items.is_empty()) {
            (false, false) => Err(de::Error::custom("an order is for SKUs or for items, not for both")),
            (_, true) => Ok(lines.into()),
            (true, false) => Ok(items.into()),
        }
    }
}

impl JsonSchema for Lines {
    fn schema_name() -> Cow<'static, str> {
        "OrderLines".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let line = generator.subschema_for::<OrderLine>();
        let item = generator.subschema_for::<ItemLine>();
        json_schema!({
            "description": "The lines of an order: all of them SKUs, or all of them items.",
            "anyOf": [{ "type": "array", "items": line }, { "type": "array", "items": item }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Lines, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn lines_of_both_kinds_are_read_back_as_they_were_written() {
        for json in [
            r#"[]"#,
            r#"[{"sku":"a","quantity":1,"unit_price":null},{"sku":"b","quantity":2,"unit_price":3}]"#,
            r#"[{"item":"a desk","quantity":1}]"#,
        ] {
            let lines = read(json).unwrap();
            assert_eq!(serde_json::to_string(&lines).unwrap(), json);
            let packed = postcard::to_stdvec(&lines).unwrap();
            assert_eq!(postcard::from_bytes::<Lines>(&packed).unwrap(), lines);
        }
    }

    #[test]
    fn a_line_of_no_kind_or_of_two_is_refused() {
        for json in [
            r#"[{"quantity":1}]"#,
            r#"[{"sku":"a","item":"a desk","quantity":1}]"#,
            r#"[{"item":"a desk","quantity":1,"unit_price":1}]"#,
            r#"[{"item":"a desk","quantity":1},{"sku":"a","quantity":1}]"#,
            r#"[{"item":"a desk","quantity":1,"colour":"red"}]"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
