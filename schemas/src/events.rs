//! Events: facts that a processor has decided. Each variant's `kind` is its stable name in records.

use std::sync::Arc;

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::idempotency::{KeyDigest, UsedKey};
use crate::{
    commands::{ReleaseReason, StockReply},
    envelope::{DecodeError, Payload},
    ids::{OrderId, Sku, Status},
    money::{Amount, Currency},
    order::{Actor, Failure, FailureCode, Order},
    returns::ReturnMovement,
    shipment::ShipmentEvent,
    time::Timestamp,
};

/// An order was created or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderChanged {
    /// The order after the change.
    #[schemars(with = "Order")]
    pub order: Arc<Order>,
    /// The order's state before the change; absent when the order was created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub from: Option<Status>,
    /// State of the order's stock reservation after the change.
    #[serde(skip_serializing_if = "Holding::is_nothing", default)]
    pub holding: Holding,
    /// When a timer of the lifecycle moves the order, unless it changes before. Absent: no timer runs.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub due: Option<Timestamp>,
    /// The idempotency key that is remembered from now on, if the request had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// Why the order changed: the caller's words or alias, or the pipeline's reason, such as `expired` or a failure
    /// code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// The event of the shipment that the actor reported, if that caused the change.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<ShipmentEvent>")]
    pub shipment: Option<Box<ShipmentEvent>>,
    /// The actor that caused the change; the role is `system` for stock replies and timers.
    pub by: Actor,
}

/// An order was requested in a lifecycle that creates orders once they are reserved. No reader sees the order yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequested {
    /// The order as it will be if stock holds all its lines; its version is 0.
    #[schemars(with = "Order")]
    pub order: Arc<Order>,
    /// The idempotency key that is remembered from now on, if the request had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Stock refused a requested order. It was never created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderDeclined {
    /// The id that the order would have had.
    pub order_id: OrderId,
    /// Why the order was declined.
    pub code: FailureCode,
    /// What was wrong, SKU by SKU.
    pub failures: Vec<Failure>,
    /// The idempotency key whose repeats are declined too, if the request had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<KeyDigest>,
}

/// An event of a shipment was reported for an order that is over. The order is unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipmentRecorded {
    /// The order.
    pub order_id: OrderId,
    /// What happened.
    pub shipment: ShipmentEvent,
    /// The idempotency key that is remembered from now on, if the request had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// The actor that made the report.
    pub by: Actor,
}

/// State of the order's stock reservation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Holding {
    /// No units are reserved: not yet, or no longer. Also after shipping, in a lifecycle that takes no returns.
    #[default]
    Nothing,
    /// The reservation was requested, and not all stock partitions have replied.
    Asked,
    /// All lines are reserved.
    Held,
    /// All lines were shipped, in a lifecycle that takes returns.
    Shipped,
}

impl Holding {
    /// Whether the state is [`Self::Nothing`].
    pub fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// The kinds of change to an order. Each has its own event kind.
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
    /// All kinds of change.
    pub const ALL: [Self; 6] =
        [Self::Created, Self::Reserved, Self::Failed, Self::Updated, Self::Completed, Self::Canceled];

    /// The `kind` of the event that reports the change.
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

/// Why a command was refused. The names are stable and are the `type` of the problem that a client gets. Snapshots
/// have the numbers of the variants, so a new variant goes to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionCode {
    /// No active order has this id.
    UnknownOrder,
    /// An active order has this id already.
    OrderExists,
    /// The lifecycle has no transition from the order's state to the requested one, or the order waits for stock.
    IllegalTransition,
    /// The caller's role may not make this transition.
    Forbidden,
    /// The order has none of the versions that the command requires.
    StaleVersion,
    /// The idempotency key was used before, for a different request.
    IdempotencyKeyReused,
    /// The correction would make the available units negative.
    NegativeStock,
    /// The units ever received of the SKU would exceed the limit, 10^15.
    LevelOverflow,
    /// The order has no reservation in this stock partition, and no resolved one is remembered.
    UnknownReservation,
    /// The reservation was already shipped, released or expired.
    ReservationResolved,
    /// The part to ship exceeds what is reserved, has no lines, or has a line of 0 units.
    MoreThanReserved,
    /// The order has a reservation in this stock partition already.
    ReservationExists,
    /// The order is not waiting for a reply from this stock partition.
    UnexpectedReply,
    /// The command could not be read; its bytes are in the dead letters.
    Unreadable,
    /// The lifecycle takes no returns in the order's state.
    ReturnsClosed,
    /// More units of a line would be returned than were shipped.
    MoreThanShipped,
}

/// A command was refused; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandRejected {
    /// The kind of the refused command, such as `order.place`.
    #[schemars(with = "String")]
    pub command: CompactString,
    /// Why the command was refused, as a stable code.
    pub code: RejectionCode,
    /// Why the command was refused, in a sentence.
    pub detail: String,
    /// The order that the command was about, if it was about one and could be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_id: Option<OrderId>,
    /// The SKU that the command was about, if it was about one and could be read.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sku: Option<Sku>,
    /// The states the caller may move the order to; only with `illegal-transition`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub allowed: Option<Vec<Status>>,
    /// The order's current version; with `stale-version`. If the key of a change was used before, with any code, and
    /// absent then if the order is in a final state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<u64>,
    /// The idempotency key that is remembered together with this rejection. A rejection of a caller who may not make
    /// the request, or of a request about an unknown order, is not remembered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<UsedKey>,
    /// Whether the request was rejected because the first request under its idempotency key was.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub repeated: bool,
}

/// A request about an order was repeated under the same idempotency key; nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRepeated {
    /// The order id in the repeated command.
    pub requested: OrderId,
    /// The id of the order that the first request has placed or changed.
    pub order_id: OrderId,
    /// The order as it is now; absent once it has reached a final state.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<Order>")]
    pub order: Option<Arc<Order>>,
    /// Why the first request was declined, if it was: the order was never created.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub declined: Option<FailureCode>,
}

/// An event of the order processor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// `order.created` and the other changes.
    Changed(Change, OrderChanged),
    /// `order.requested`
    Requested(OrderRequested),
    /// `order.declined`
    Declined(OrderDeclined),
    /// `shipment.recorded`
    ShipmentRecorded(ShipmentRecorded),
    /// `stock.replied`: one of several stock partitions has replied. The order as readers see it is unchanged.
    StockReplied(StockReply),
    /// `clock.ticked`: a tick found nothing due.
    Ticked(Ticked),
    /// `command.rejected`
    Rejected(CommandRejected),
    /// `command.repeated`
    Repeated(OrderRepeated),
}

/// A tick of the clock found nothing due; nothing changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ticked {}

impl Serialize for OrderEvent {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Changed(_, event) => event.serialize(serializer),
            Self::Requested(event) => event.serialize(serializer),
            Self::Declined(event) => event.serialize(serializer),
            Self::ShipmentRecorded(event) => event.serialize(serializer),
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
            Self::Requested(_) => "order.requested",
            Self::Declined(_) => "order.declined",
            Self::ShipmentRecorded(_) => "shipment.recorded",
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
            "order.requested" => Self::Requested(serde_json::from_str(data)?),
            "order.declined" => Self::Declined(serde_json::from_str(data)?),
            "shipment.recorded" => Self::ShipmentRecorded(serde_json::from_str(data)?),
            "stock.replied" => Self::StockReplied(serde_json::from_str(data)?),
            "clock.ticked" => Self::Ticked(serde_json::from_str(data)?),
            "command.rejected" => Self::Rejected(serde_json::from_str(data)?),
            "command.repeated" => Self::Repeated(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}

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
