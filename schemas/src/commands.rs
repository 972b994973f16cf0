//! Commands: requests that a processor decides. Each variant's `kind` is its stable name in records.

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::idempotency::{ChangeKey, Fingerprint, Idempotency};
use crate::{
    envelope::{DecodeError, Payload},
    ids::{CustomerId, OrderId, Sku, Status},
    lines::{Lines, OrderLine},
    money::{Amount, Currency},
    order::{Actor, Failure},
    returns::{ReturnedSku, ReturnedUnits},
    shipment::ShipmentEvent,
    time::Timestamp,
    topic::Partition,
};

/// Place a new order for a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceOrder {
    /// The id of the new order.
    pub order_id: OrderId,
    /// The customer whose order it will be.
    pub customer_id: CustomerId,
    /// The currency of the order's prices; absent if its lines are items without prices.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub currency: Option<Currency>,
    /// The lines ordered. The price of a line is set by an admin or a service; from any other role it is the price the
    /// customer expects.
    pub lines: Lines,
    /// The sales channel in which the order was placed, in the seller's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub channel: Option<CompactString>,
    /// The customer's notes on the order.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub notes: Option<CompactString>,
    /// When the customer placed the order, according to the client.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub placed_at: Option<Timestamp>,
    /// For how many seconds to hold stock. Absent: the lifecycle's default.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reserve_for: Option<u32>,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<Idempotency>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Move an order to another state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeStatus {
    /// The order to move.
    pub order_id: OrderId,
    /// The name of the state to move to, or an alias of it for the caller's role, such as a courier's word.
    pub status: Status,
    /// The change is refused unless the order has one of these versions. Absent: any version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub if_match: Option<Vec<u64>>,
    /// The reason for the change, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

impl ChangeStatus {
    /// Whether the command excludes an order of this version: it names versions, and this is none of them.
    pub fn is_stale(&self, version: u64) -> bool {
        self.if_match.as_ref().is_some_and(|versions| !versions.contains(&version))
    }
}

/// Name the only courier who may act for an order, or let any courier do so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignCourier {
    /// The order.
    pub order_id: OrderId,
    /// The account of the courier; null for any courier.
    #[schemars(with = "Option<String>")]
    pub courier_id: Option<CompactString>,
    /// The change is refused unless the order has one of these versions. Absent: any version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub if_match: Option<Vec<u64>>,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Report an event of an order's shipment. The lifecycle maps it to a state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportShipment {
    /// The order.
    pub order_id: OrderId,
    /// What happened.
    pub event: ShipmentEvent,
    /// Whether the sender has checked, in a store of orders, that the order is over and that the actor may report about
    /// it. The event is then kept as history.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_over: bool,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Take back units of a shipped order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnOrder {
    /// The order.
    pub order_id: OrderId,
    /// The units that came back.
    pub lines: Vec<ReturnedUnits>,
    /// The reason, in the caller's words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub reason: Option<CompactString>,
    /// The return is refused unless the order has one of these versions. Absent: any version.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub if_match: Option<Vec<u64>>,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// The reply of one stock partition to a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StockReply {
    /// The order that the reservation is for.
    pub order_id: OrderId,
    /// The partition of `stock.commands` that replies.
    pub partition: Partition,
    /// Whether the partition holds the order's lines.
    pub outcome: ReservationOutcome,
}

/// The outcome of a reservation in one stock partition: all of the order's lines there are held, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ReservationOutcome {
    /// All lines are held. The unit prices, in the order of the lines of the `stock.reserve`.
    Held(Vec<Amount>),
    /// Nothing is held, for these reasons.
    Refused(Vec<Failure>),
}

/// A tick of the clock. It moves the orders whose timers have run out by the record's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tick {}

/// A command to the order processor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum OrderCommand {
    /// `order.place`
    Place(PlaceOrder),
    /// `order.change_status`
    ChangeStatus(ChangeStatus),
    /// `order.assign_courier`
    AssignCourier(AssignCourier),
    /// `order.report_shipment`
    ReportShipment(ReportShipment),
    /// `order.return`
    Return(ReturnOrder),
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
            Self::AssignCourier(_) => "order.assign_courier",
            Self::ReportShipment(_) => "order.report_shipment",
            Self::Return(_) => "order.return",
            Self::StockReply(_) => "stock.reply",
            Self::Tick(_) => "clock.tick",
        }
    }

    fn decode(kind: &str, data: &str) -> Result<Self, DecodeError> {
        Ok(match kind {
            "order.place" => Self::Place(serde_json::from_str(data)?),
            "order.change_status" => Self::ChangeStatus(serde_json::from_str(data)?),
            "order.assign_courier" => Self::AssignCourier(serde_json::from_str(data)?),
            "order.report_shipment" => Self::ReportShipment(serde_json::from_str(data)?),
            "order.return" => Self::Return(serde_json::from_str(data)?),
            "stock.reply" => Self::StockReply(serde_json::from_str(data)?),
            "clock.tick" => Self::Tick(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}

/// Receive units of a SKU into stock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiveStock {
    /// The SKU received.
    pub sku: Sku,
    /// Units to receive, 1 to 1,000,000,000.
    pub quantity: u32,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Correct the available units of a SKU: found units are received, lost ones are written off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustStock {
    /// The SKU whose count is corrected.
    pub sku: Sku,
    /// Units found (positive) or lost (negative): -1,000,000,000 to 1,000,000,000 and not 0.
    pub delta: i64,
    /// The reason for the correction, in the caller's words.
    #[schemars(with = "String")]
    pub reason: CompactString,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Put a product into the catalogue, or replace its name and price there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetProduct {
    /// The SKU of the product.
    pub sku: Sku,
    /// The name of the product.
    #[schemars(with = "String")]
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Amount,
    /// The currency of the price.
    pub currency: Currency,
    /// The idempotency key and the digest of the request. A repeat of the request under the same key changes nothing.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub idempotency: Option<ChangeKey>,
    /// The actor that made the request.
    pub by: Actor,
}

/// Reserve units for all of these lines of an order, or for none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reserve {
    /// The order to reserve for. The id also determines the partition that the reply goes to.
    pub order_id: OrderId,
    /// The currency of the order's prices.
    pub currency: Currency,
    /// Whether the prices of the lines are set by the seller, or only expected by the customer.
    pub prices: Prices,
    /// The lines to hold. Lines of one SKU are adjacent.
    pub lines: Vec<OrderLine>,
}

/// The meaning of the price of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Prices {
    /// The customer expects this price; the catalogue decides.
    Expected,
    /// An admin or a service set this price.
    Set,
}

/// Return to stock the units that an order still holds in this partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// The order that holds the units.
    pub order_id: OrderId,
    /// Why the units are returned.
    pub reason: ReleaseReason,
}

/// Why the units of an order are released.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReleaseReason {
    /// The order was moved to a state that releases its units; usually it was canceled.
    Canceled,
    /// The reservation failed as a whole: another stock partition refused its part, or the total is too large.
    Failed,
    /// A timer of the lifecycle ran out.
    Expired,
}

/// Ship units that an order holds in this partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ship {
    /// The order that holds the units.
    pub order_id: OrderId,
    /// The units to ship; the rest stays reserved. Absent: all units that the order holds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<Vec<ShipLine>>,
}

/// Units of one SKU to ship: part of a reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipLine {
    /// The SKU to ship.
    pub sku: Sku,
    /// Units to ship, at least 1.
    pub quantity: u32,
}

/// Take back units that were shipped for an order. The order processor has checked that they were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnUnits {
    /// The order that the units were shipped for.
    pub order_id: OrderId,
    /// The units. Those of one SKU are adjacent.
    pub lines: Vec<ReturnedSku>,
}

/// A command to the stock processor.
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
    /// `stock.return`
    Return(ReturnUnits),
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
            Self::Return(_) => "stock.return",
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
            "stock.return" => Self::Return(serde_json::from_str(data)?),
            _ => return Err(DecodeError::UnknownKind(kind.into())),
        })
    }
}
