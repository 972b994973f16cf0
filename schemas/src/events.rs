//! Events: facts that a processor has decided. Each variant's `kind` is its stable name in records.

use std::sync::Arc;

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    commands::{Fingerprint, Idempotency, ReleaseReason, StockReply},
    envelope::{DecodeError, Payload},
    ids::{OrderId, Sku, Status},
    money::{Amount, Currency},
    order::{Actor, Failure, Order},
    time::Timestamp,
};

/// An order came to be or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderChanged {
    /// The order as it stands after this.
    #[schemars(with = "Order")]
    pub order: Arc<Order>,
    /// Its state before; absent when it was created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Status>,
    /// What the order has with stock after this.
    #[serde(skip_serializing_if = "Holding::is_nothing", default)]
    pub holding: Holding,
    /// When the order changes by itself unless something else happens before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due: Option<Timestamp>,
    /// The digest of the request that created it under a key.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fingerprint: Option<Fingerprint>,
    /// Why, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// Who caused it.
    pub by: Actor,
}

/// What an order has with stock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Holding {
    /// Nothing: not yet, or no longer.
    #[default]
    Nothing,
    /// Its lines are asked for; not all stock partitions have answered.
    Asked,
    /// Its lines are held.
    Held,
}

impl Holding {
    /// Whether it is nothing.
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// How an order changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// `order.created`
    Created,
    /// `order.reserved`
    Reserved,
    /// `order.failed`
    Failed,
    /// `order.updated`
    Updated,
    /// `order.completed`
    Completed,
    /// `order.canceled`
    Canceled,
}

impl Change {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Created, Self::Reserved, Self::Failed, Self::Updated, Self::Completed, Self::Canceled];

    /// The event's type.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Created => "order.created",
            Self::Reserved => "order.reserved",
            Self::Failed => "order.failed",
            Self::Updated => "order.updated",
            Self::Completed => "order.completed",
            Self::Canceled => "order.canceled",
        }
    }
}

/// Why a command was refused. The names are stable and are the `type` of the problem a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionCode {
    /// No active order has this id.
    UnknownOrder,
    /// An order has this id already.
    OrderExists,
    /// The lifecycle has no such way from the order's state.
    IllegalTransition,
    /// The lifecycle has it, but not for this caller.
    Forbidden,
    /// The order has another version than the caller saw.
    StaleVersion,
    /// The key came before with another request.
    IdempotencyKeyReused,
    /// The correction would make what is available negative.
    NegativeStock,
    /// A count would be larger than can be kept.
    LevelOverflow,
    /// Nothing is reserved for this order here.
    UnknownReservation,
    /// The reservation was resolved before.
    ReservationResolved,
    /// More was to be shipped than is reserved.
    MoreThanReserved,
    /// A reservation of this order exists already.
    ReservationExists,
    /// The order waits for no stock reply from there.
    UnexpectedReply,
    /// The command could not be read; its bytes are in the dead letters.
    Unreadable,
}

/// A command was refused; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRejected {
    /// The kind of the command.
    #[schemars(with = "String")]
    pub command: CompactString,
    /// Why.
    pub code: RejectionCode,
    /// Why, in a sentence.
    pub detail: String,
    /// The order it was about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_id: Option<OrderId>,
    /// The SKU it was about.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sku: Option<Sku>,
    /// The states the caller may move the order to.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed: Option<Vec<Status>>,
    /// The version the order has.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
}

/// An order was placed again under the same key; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRepeated {
    /// The id the repeat came with.
    pub requested: OrderId,
    /// The id of the order that was placed first.
    pub order_id: OrderId,
    /// The order as it stands, while it is active.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<Order>")]
    pub order: Option<Arc<Order>>,
}

/// What the order processor decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// `order.created` and the other changes.
    Changed(Change, OrderChanged),
    /// `stock.replied`: one of several stock partitions has answered; the order as readers see it is unchanged.
    StockReplied(StockReply),
    /// `clock.ticked`: time passed and this is all that happened.
    Ticked(Ticked),
    /// `command.rejected`
    Rejected(CommandRejected),
    /// `command.repeated`
    Repeated(OrderRepeated),
}

/// Time passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticked {}

impl Serialize for OrderEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Changed(_, event) => event.serialize(serializer),
            Self::StockReplied(event) => event.serialize(serializer),
            Self::Ticked(event) => event.serialize(serializer),
            Self::Rejected(event) => event.serialize(serializer),
            Self::Repeated(event) => event.serialize(serializer),
        }
    }
}

impl Payload for OrderEvent {
    fn kind(&self) -> &'static str {
        match self {
            Self::Changed(change, _) => change.kind(),
            Self::StockReplied(_) => "stock.replied",
            Self::Ticked(_) => "clock.ticked",
            Self::Rejected(_) => "command.rejected",
            Self::Repeated(_) => "command.repeated",
        }
    }

    fn decode(kind: &str, data: &str) -> Result<Self, DecodeError> {
        if let Some(change) = Change::ALL.into_iter().find(|change| change.kind() == kind) {
            return Ok(Self::Changed(change, serde_json::from_str(data)?));
        }
        Ok(match kind {
            "stock.replied" => Self::StockReplied(serde_json::from_str(data)?),
            "clock.ticked" => Self::Ticked(serde_json::from_str(data)?),
            "command.rejected" => Self::Rejected(serde_json::from_str(data)?),
            "command.repeated" => Self::Repeated(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}

/// How many units of a SKU are where. Always received = available + reserved + shipped + written off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// Ever taken in.
    pub received: u64,
    /// Free to be reserved.
    pub available: u64,
    /// Held for orders.
    pub reserved: u64,
    /// Gone to customers.
    pub shipped: u64,
    /// Lost, broken, stolen.
    pub written_off: u64,
}

impl Levels {
    /// Whether every unit received is in exactly one place.
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
    /// Of what.
    pub sku: Sku,
    /// How many units more or less.
    pub delta: i64,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// The levels after it.
    pub levels: Levels,
    /// The request's key and digest.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// Who caused it.
    pub by: Actor,
}

/// A product has this name and price from now on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductUpdated {
    /// Which.
    pub sku: Sku,
    /// What it is called.
    #[schemars(with = "String")]
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Amount,
    /// What the price is in.
    pub currency: Currency,
    /// The SKU's levels, unchanged.
    pub levels: Levels,
    /// Who caused it.
    pub by: Actor,
}

/// Units of one SKU that moved between levels for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Movement {
    /// Of what.
    pub sku: Sku,
    /// How many units.
    pub quantity: u32,
    /// The levels after it.
    pub levels: Levels,
}

/// An order's lines in this stock partition are held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReserved {
    /// For which order.
    pub order_id: OrderId,
    /// What was held, in the order of the lines asked for.
    pub lines: Vec<Movement>,
    /// The unit prices, in the same order.
    pub unit_prices: Vec<Amount>,
}

/// An order's lines in this stock partition cannot be held; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockRefused {
    /// For which order.
    pub order_id: OrderId,
    /// What is wrong.
    pub failures: Vec<Failure>,
}

/// What an order held here is available again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReleased {
    /// Which order's.
    pub order_id: OrderId,
    /// Why.
    pub reason: ReleaseReason,
    /// What was given back.
    pub lines: Vec<Movement>,
}

/// What an order held here, or a part of it, has gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockShipped {
    /// Which order's.
    pub order_id: OrderId,
    /// What went.
    pub lines: Vec<Movement>,
}

/// A receipt or adjustment came again under the same key; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockRepeated {
    /// Of what.
    pub sku: Sku,
    /// The levels after the first time.
    pub levels: Levels,
}

/// What the stock processor decided.
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
            "command.rejected" => Self::Rejected(serde_json::from_str(data)?),
            "command.repeated" => Self::Repeated(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}
