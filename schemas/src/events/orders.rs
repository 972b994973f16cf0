//! Events of the order processor.

use std::sync::Arc;

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CommandRejected, KeyDigest, UsedKey};
use crate::{
    commands::StockReply,
    envelope::{DecodeError, Payload},
    ids::{OrderId, Status},
    order::{Actor, Failure, FailureCode, Order},
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
