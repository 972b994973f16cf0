//! A file of orders to replay, and the units that it orders.

use std::{collections::BTreeMap, fs::File, path::PathBuf};

use serde_json::Value;

use crate::repository;

/// One order of the file.
#[derive(Clone, Debug)]
pub struct Basket {
    /// The line of the file.
    pub line: String,
    /// The idempotency key of the order.
    pub key: String,
    /// The ordered units of each SKU.
    pub units: BTreeMap<String, u64>,
}

impl Basket {
    fn parse(line: String) -> Self {
        let order: Value = serde_json::from_str(&line).expect("each line is an order");
        let key = order["idempotency_key"].as_str().expect("each order has a key").to_owned();
        Self { key, units: units(&order), line }
    }
}

/// The orders of a file, in the order of its lines.
#[derive(Clone, Debug)]
pub struct Baskets {
    /// The path of the file.
    pub path: PathBuf,
    /// The orders, one for each line.
    pub all: Vec<Basket>,
}

impl Baskets {
    /// The sample among the fixtures.
    pub fn sample() -> Self {
        Self::read(repository().join("tests/fixtures/baskets-sample.ndjson.zst"))
    }

    /// Reads a `.zst` file of orders.
    pub fn read(path: PathBuf) -> Self {
        let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = zstd::decode_all(file).expect("the file is packed with zstd");
        let text = String::from_utf8(text).expect("the file is UTF-8");
        let all = text.lines().map(|line| Basket::parse(line.to_owned())).collect();
        Self { path, all }
    }

    /// The units of each SKU that the whole file orders.
    pub fn demand(&self) -> BTreeMap<String, u64> {
        let mut demand = BTreeMap::new();
        for (sku, units) in self.all.iter().flat_map(|basket| &basket.units) {
            *demand.entry(sku.clone()).or_default() += units;
        }
        demand
    }
}

/// The units of each SKU that an order has in its lines.
pub fn units(order: &Value) -> BTreeMap<String, u64> {
    let mut units = BTreeMap::new();
    for line in order["lines"].as_array().expect("an order has lines") {
        let sku = line["sku"].as_str().expect("a line has a SKU").to_owned();
        *units.entry(sku).or_default() += line["quantity"].as_u64().expect("a line has a quantity");
    }
    units
}
