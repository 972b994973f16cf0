//! Stock and the catalogue as JSON, the same in answers to writes and to reads. An order is shown as it is in events.

use compact_str::CompactString;
use orderflow_schemas::{Amount, Currency, Levels, Sku};
use serde::Serialize;

/// How many units of a SKU are where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockLevels {
    /// Which SKU.
    pub sku: Sku,
    /// Its units.
    #[serde(flatten)]
    pub levels: Levels,
}

/// A SKU as the catalogue has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Which SKU.
    pub sku: Sku,
    /// What it is called.
    pub name: Option<CompactString>,
    /// The price of one unit in minor units of the currency.
    pub unit_price: Option<Amount>,
    /// What the price is in.
    pub currency: Option<Currency>,
}
