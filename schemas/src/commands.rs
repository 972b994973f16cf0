//! Commands: requests that a processor will decide. Each variant's `kind` is its stable name in records.

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    envelope::{DecodeError, Payload},
    ids::{CustomerId, IdempotencyKey, OrderId, Sku, Status},
    money::{Amount, Currency},
    order::{Actor, Failure, OrderLine},
    time::Timestamp,
    topic::Partition,
};

/// A digest of a request's content, to tell a repeat from another request under the same key: 128 bits of BLAKE3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Fingerprint(pub u128);

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(&format_args!("{:032x}", self.0))
        } else {
            serializer.serialize_u128(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u128::deserialize(deserializer).map(Self);
        }
        let text = CompactString::deserialize(deserializer)?;
        u128::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Fingerprint {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Fingerprint".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
    }
}

/// The client's key and what it stood for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Idempotency {
    /// The key, unique within its customer or SKU.
    pub key: IdempotencyKey,
    /// The digest of the request it came with.
    pub fingerprint: Fingerprint,
}

/// Place an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// The id the order will have.
    pub order_id: OrderId,
    /// Whose order it will be.
    pub customer_id: CustomerId,
    /// What its prices are in.
    pub currency: Currency,
    /// What is ordered. The price of a line is what the customer expects, or, from an admin or a service, sets.
    pub lines: Vec<OrderLine>,
    /// Where it was placed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub channel: Option<CompactString>,
    /// The customer's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub notes: Option<CompactString>,
    /// When the customer placed it, as the client says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub placed_at: Option<Timestamp>,
    /// Makes a repeat harmless.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// Who asks.
    pub by: Actor,
}

/// Move an order to another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStatus {
    /// Which order.
    pub order_id: OrderId,
    /// The state asked for, or a courier's word for it.
    pub status: Status,
    /// Only if the order has one of these versions.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub if_match: Option<Vec<u64>>,
    /// Why, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// Who asks.
    pub by: Actor,
}

impl ChangeStatus {
    /// Whether an order of another version than this was meant.
    pub fn is_stale(&self, version: u64) -> bool {
        self.if_match.as_ref().is_some_and(|versions| !versions.contains(&version))
    }
}

/// What one stock partition says to a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReply {
    /// For which order.
    pub order_id: OrderId,
    /// Which stock partition says so.
    pub partition: Partition,
    /// What it says.
    pub outcome: ReservationOutcome,
}

/// All of a partition's lines are held, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReservationOutcome {
    /// All lines are held; the unit prices, in the order of the lines asked for.
    Held(Vec<Amount>),
    /// Nothing is held, for these reasons.
    Refused(Vec<Failure>),
}

/// Time has come so far: what is due by the record's time happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tick {}

/// What the order processor decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OrderCommand {
    /// `order.place`
    Place(PlaceOrder),
    /// `order.change_status`
    ChangeStatus(ChangeStatus),
    /// `stock.reply`
    StockReply(StockReply),
    /// `clock.tick`
    Tick(Tick),
}

impl Payload for OrderCommand {
    fn kind(&self) -> &'static str {
        match self {
            Self::Place(_) => "order.place",
            Self::ChangeStatus(_) => "order.change_status",
            Self::StockReply(_) => "stock.reply",
            Self::Tick(_) => "clock.tick",
        }
    }

    fn decode(kind: &str, data: &str) -> Result<Self, DecodeError> {
        Ok(match kind {
            "order.place" => Self::Place(serde_json::from_str(data)?),
            "order.change_status" => Self::ChangeStatus(serde_json::from_str(data)?),
            "stock.reply" => Self::StockReply(serde_json::from_str(data)?),
            "clock.tick" => Self::Tick(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}

/// Take stock in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveStock {
    /// Of what.
    pub sku: Sku,
    /// How many units.
    pub quantity: u32,
    /// Makes a repeat harmless.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// Who asks.
    pub by: Actor,
}

/// Correct what is available: found units are received, lost ones written off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustStock {
    /// Of what.
    pub sku: Sku,
    /// How many units more or less.
    pub delta: i64,
    /// Why.
    #[schemars(with = "String")]
    pub reason: CompactString,
    /// Makes a repeat harmless.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// Who asks.
    pub by: Actor,
}

/// Put a product into the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetProduct {
    /// Which.
    pub sku: Sku,
    /// What it is called.
    #[schemars(with = "String")]
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Amount,
    /// What the price is in.
    pub currency: Currency,
    /// Who asks.
    pub by: Actor,
}

/// Reserve all lines for an order, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// For which order. Its id also says where the reply goes.
    pub order_id: OrderId,
    /// What the order's prices are in.
    pub currency: Currency,
    /// Whether the prices of the lines are set by the seller, or only expected by the customer.
    pub prices: Prices,
    /// What to hold; lines of one SKU stand together.
    pub lines: Vec<OrderLine>,
}

/// What the price of a line means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Prices {
    /// The customer expects it; the catalogue decides.
    Expected,
    /// An admin or a service sets it.
    Set,
}

/// Give back what an order still holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Which order's.
    pub order_id: OrderId,
    /// Why.
    pub reason: ReleaseReason,
}

/// Why stock was given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseReason {
    /// Somebody ended the order.
    Canceled,
    /// Another stock partition refused its part.
    Failed,
    /// Its time ran out.
    Expired,
}

/// Ship what an order holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    /// Which order's.
    pub order_id: OrderId,
    /// Only so much of it; the rest stays reserved. Absent: all.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<Vec<ShipLine>>,
}

/// A part of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipLine {
    /// Which SKU.
    pub sku: Sku,
    /// How many units.
    pub quantity: u32,
}

/// What the stock processor decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum StockCommand {
    /// `stock.receive`
    Receive(ReceiveStock),
    /// `stock.adjust`
    Adjust(AdjustStock),
    /// `product.set`
    SetProduct(SetProduct),
    /// `stock.reserve`
    Reserve(Reserve),
    /// `stock.release`
    Release(Release),
    /// `stock.ship`
    Ship(Ship),
}

impl Payload for StockCommand {
    fn kind(&self) -> &'static str {
        match self {
            Self::Receive(_) => "stock.receive",
            Self::Adjust(_) => "stock.adjust",
            Self::SetProduct(_) => "product.set",
            Self::Reserve(_) => "stock.reserve",
            Self::Release(_) => "stock.release",
            Self::Ship(_) => "stock.ship",
        }
    }

    fn decode(kind: &str, data: &str) -> Result<Self, DecodeError> {
        Ok(match kind {
            "stock.receive" => Self::Receive(serde_json::from_str(data)?),
            "stock.adjust" => Self::Adjust(serde_json::from_str(data)?),
            "product.set" => Self::SetProduct(serde_json::from_str(data)?),
            "stock.reserve" => Self::Reserve(serde_json::from_str(data)?),
            "stock.release" => Self::Release(serde_json::from_str(data)?),
            "stock.ship" => Self::Ship(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}
