//! Stock and the catalogue as JSON, the same in responses to writes and to reads. An order has the same JSON as in
//! events.

use compact_str::CompactString;
use orderflow_schemas::{Amount, Currency, Levels, Sku};
use schemars::JsonSchema;
use serde::Serialize;

/// The stock levels of a SKU.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StockLevels {
    /// The SKU that is counted.
    pub sku: Sku,
    /// The units of the SKU, by where they are.
    #[serde(flatten)]
    pub levels: Levels,
}

/// A product of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Product {
    /// The SKU of the product.
    pub sku: Sku,
    /// The name of the product.
    #[schemars(with = "Option<String>")]
    pub name: Option<CompactString>,
    /// The price of one unit in minor units of the currency.
    pub unit_price: Option<Amount>,
    /// The currency of the price.
    pub currency: Option<Currency>,
}
