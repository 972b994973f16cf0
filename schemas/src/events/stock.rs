//! Events of the stock processor.

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CommandRejected, UsedKey};
use crate::{
    commands::ReleaseReason,
    envelope::{DecodeError, Payload},
    ids::{OrderId, Sku},
    money::{Amount, Currency},
    order::{Actor, Failure},
    returns::ReturnMovement,
};

/// The units of a SKU by where they are. Always received = available + reserved + shipped + written off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Units ever received, including those found in a correction.
    pub received: u64,
    /// Units that can be reserved.
    pub available: u64,
    /// Units held for orders.
    pub reserved: u64,
    /// Units shipped to customers that did not come back.
    pub shipped: u64,
    /// Units written off in a correction or a return: lost, broken or stolen.
    pub written_off: u64,
}

impl Levels {
    /// Whether every received unit is counted in exactly one of the other levels.
    pub fn balance(&self) -> bool {
        [self.available, self.reserved, self.shipped, self.written_off]
            .into_iter()
            .try_fold(0u64, u64::checked_add)
            == Some(self.received)
    }
}

/// Stock of one SKU was received or adjusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockChanged {
    /// The SKU received or adjusted.
    pub sku: Sku,
    /// Units added (positive) or written off (negative).
    pub delta: i64,
    /// The reason for the correction, in the caller's words; absent for a receipt.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// The SKU's levels after the change.
    pub levels: Levels,
    /// The idempotency key that is remembered from now on, if the request had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// The entry of a SKU in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// The name of the product.
    #[schemars(with = "String")]
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Amount,
    /// The currency of the price.
    pub currency: Currency,
}

/// A product was put into the catalogue, or its name and price were replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductUpdated {
    /// The SKU of the product.
    pub sku: Sku,
    /// The name of the product.
    #[schemars(with = "String")]
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Amount,
    /// The currency of the price.
    pub currency: Currency,
    /// The SKU's levels, unchanged.
    pub levels: Levels,
    /// The idempotency key that is remembered from now on, if the request had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Units of one SKU that moved from one level to another for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Movement {
    /// The SKU of the units.
    pub sku: Sku,
    /// The number of units moved.
    pub quantity: u32,
    /// The SKU's levels after this movement.
    pub levels: Levels,
}

/// All of an order's lines in this stock partition are reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReserved {
    /// The order that the units are reserved for.
    pub order_id: OrderId,
    /// The units reserved, in the order of the lines of the `stock.reserve`.
    pub lines: Vec<Movement>,
    /// The unit prices in minor units, in the same order.
    pub unit_prices: Vec<Amount>,
}

/// An order's lines in this stock partition cannot be reserved; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockRefused {
    /// The order that the reservation was for.
    pub order_id: OrderId,
    /// The SKUs that could not be reserved, and why.
    pub failures: Vec<Failure>,
}

/// The units that an order held in this stock partition are available again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReleased {
    /// The order that held the units.
    pub order_id: OrderId,
    /// Why the units were released.
    pub reason: ReleaseReason,
    /// The units released.
    pub lines: Vec<Movement>,
}

/// Units that an order held in this stock partition, all or a part, were shipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockShipped {
    /// The order that held the units.
    pub order_id: OrderId,
    /// The units shipped.
    pub lines: Vec<Movement>,
}

/// Units that were shipped for an order came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReturned {
    /// The order that the units were shipped for.
    pub order_id: OrderId,
    /// The units that came back.
    pub lines: Vec<ReturnMovement>,
}

/// A request about a SKU was repeated under the same idempotency key; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockRepeated {
    /// The SKU of the request.
    pub sku: Sku,
    /// The SKU's levels right after the first request.
    pub levels: Levels,
    /// The SKU's entry in the catalogue as it is now; only if the request was a `product.set`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub product: Option<CatalogueEntry>,
}

/// An event of the stock processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StockEvent {
    /// `stock.received`
    Received(StockChanged),
    /// `stock.adjusted`
    Adjusted(StockChanged),
    /// `product.updated`
    ProductUpdated(ProductUpdated),
    /// `stock.reserved`
    Reserved(StockReserved),
    /// `stock.refused`
    Refused(StockRefused),
    /// `stock.released`
    Released(StockReleased),
    /// `stock.shipped`
    Shipped(StockShipped),
    /// `stock.returned`
    Returned(StockReturned),
    /// `command.rejected`
    Rejected(CommandRejected),
    /// `command.repeated`
    Repeated(StockRepeated),
}

impl Payload for StockEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::Received(_) => "stock.received",
            Self::Adjusted(_) => "stock.adjusted",
            Self::ProductUpdated(_) => "product.updated",
            Self::Reserved(_) => "stock.reserved",
            Self::Refused(_) => "stock.refused",
            Self::Released(_) => "stock.released",
            Self::Shipped(_) => "stock.shipped",
            Self::Returned(_) => "stock.returned",
            Self::Rejected(_) => "command.rejected",
            Self::Repeated(_) => "command.repeated",
        }
    }

    fn decode(kind: &str, data: &str) -> Result<Self, DecodeError> {
        Ok(match kind {
            "stock.received" => Self::Received(serde_json::from_str(data)?),
            "stock.adjusted" => Self::Adjusted(serde_json::from_str(data)?),
            "product.updated" => Self::ProductUpdated(serde_json::from_str(data)?),
            "stock.reserved" => Self::Reserved(serde_json::from_str(data)?),
            "stock.refused" => Self::Refused(serde_json::from_str(data)?),
            "stock.released" => Self::Released(serde_json::from_str(data)?),
            "stock.shipped" => Self::Shipped(serde_json::from_str(data)?),
            "stock.returned" => Self::Returned(serde_json::from_str(data)?),
            "command.rejected" => Self::Rejected(serde_json::from_str(data)?),
            "command.repeated" => Self::Repeated(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}
