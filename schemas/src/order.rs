//! An order as it is after an event. Every sink stores it and every reader sees it.
//!
//! Fields that most orders lack are absent from JSON. Snapshots have no field names, so they contain every field, in
//! a form of their own (`orderflow-processors`).

use std::sync::Arc;

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CustomerId, IdempotencyKey, OrderId, Sku, Status},
    lines::Lines,
    money::{Amount, Currency},
    returns::ReturnedUnits,
    time::Timestamp,
};

/// The role in which an actor acts. It determines what the actor may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A customer: places orders and sees only their own.
    Customer,
    /// An administrator: may do everything.
    Admin,
    /// A courier: moves parcels.
    Courier,
    /// A program that acts for others.
    Service,
    /// An analyst: reads analytics.
    Analyst,
    /// The pipeline itself: stock replies and timers.
    System,
}

impl Role {
    /// The name of the role in tokens, headers and pipeline files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
            Self::Courier => "courier",
            Self::Service => "service",
            Self::Analyst => "analyst",
            Self::System => "system",
        }
    }

    /// The role that a client may claim by this name. No client may claim `system`.
    pub fn of_client(name: &str) -> Option<Self> {
        [Self::Customer, Self::Admin, Self::Courier, Self::Service, Self::Analyst]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// The author of a command: an account and its role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// The role the command was made in.
    pub role: Role,
    /// The account; for a customer, the customer id.
    #[schemars(with = "String")]
    pub subject: CompactString,
}

impl Actor {
    /// The pipeline itself, as the author of what stock replies and timers cause.
    pub const SYSTEM: Self = Self { role: Role::System, subject: CompactString::const_new("orderflow") };
}

/// Why a line of an order could not be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// Fewer units are available than were requested.
    OutOfStock,
    /// The catalogue prices the SKU in another currency than the order's.
    CurrencyMismatch,
    /// The catalogue has no price, and no admin or service set one.
    PriceUnknown,
    /// The catalogue's price differs from the price that the order expects.
    PriceChanged,
    /// The order's total exceeds the largest total, 2^53 - 1 minor units.
    TotalTooLarge,
}

impl FailureCode {
    /// The stable code in `fail_reason` and in problem types.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutOfStock => "out-of-stock",
            Self::CurrencyMismatch => "currency-mismatch",
            Self::PriceUnknown => "price-unknown",
            Self::PriceChanged => "price-changed",
            Self::TotalTooLarge => "total-too-large",
        }
    }
}

/// Why one SKU of an order could not be reserved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The SKU that could not be reserved.
    pub sku: Sku,
    /// The kind of failure.
    pub problem: FailureCode,
    /// Units requested of the SKU; for `total-too-large`, those of the most expensive line.
    pub requested: u32,
    /// Units available at that moment; for `total-too-large`, the same as `requested`.
    pub available: u64,
    /// The price of one unit at that moment, in minor units: the catalogue's, or for `total-too-large` the line's. Null
    /// for `out-of-stock`, and if there is no price.
    #[serde(default)]
    pub unit_price: Option<Amount>,
    /// The currency of the catalogue's price at that moment. Null for `out-of-stock` and `total-too-large`, and if the
    /// catalogue has no price.
    #[serde(default)]
    pub currency: Option<Currency>,
}

/// An order, as it is after its latest change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The id of the order.
    pub id: OrderId,
    /// The customer whose order it is.
    pub customer_id: CustomerId,
    /// The order's state in the lifecycle.
    pub status: Status,
    /// The version: 1 when the order is created, and one more with each change. 0 in `order.requested`, before the
    /// order is created.
    #[schemars(range(min = 0))]
    pub version: u64,
    /// The currency of the order's prices; null if its lines are items without prices.
    pub currency: Option<Currency>,
    /// The sum of the lines in minor units; null while a line has no price yet, if the sum is too large, and for items
    /// without prices.
    pub total: Option<Amount>,
    /// The lines ordered.
    pub lines: Lines,
    /// The sales channel in which the order was placed, in the seller's words.
    #[schemars(with = "Option<String>")]
    pub channel: Option<CompactString>,
    /// The customer's notes on the order.
    #[schemars(with = "Option<String>")]
    pub notes: Option<CompactString>,
    /// Why the order failed, could not be reserved, or was canceled: a failure code, `expired`, or the caller's words.
    #[schemars(with = "Option<String>")]
    pub fail_reason: Option<CompactString>,
    /// What was wrong, SKU by SKU, when the last attempt to reserve failed. Empty if none failed, and once the order is
    /// reserved.
    #[serde(default = "no_failures")]
    #[schemars(with = "Vec<Failure>")]
    pub failures: Arc<[Failure]>,
    /// The idempotency key that the client placed the order with.
    pub idempotency_key: Option<IdempotencyKey>,
    /// When the customer placed the order, according to the client; otherwise the same as `created_at`.
    pub placed_at: Timestamp,
    /// When orderflow accepted the order: the time of its `order.place`.
    pub created_at: Timestamp,
    /// When the order last changed: the time of the command that changed it.
    pub updated_at: Timestamp,
    /// For how many seconds the request asked to hold stock; absent if it left this to the lifecycle.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reserve_for: Option<u32>,
    /// The account of the only courier who may act for the order; absent if any courier may.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub courier_id: Option<CompactString>,
    /// The account that approved or rejected the order, or made another transition that the lifecycle marks as a review.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[schemars(with = "Option<String>")]
    pub acted_by: Option<CompactString>,
    /// When the order was reviewed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub acted_at: Option<Timestamp>,
    /// The units that came back, added up for each line and destination. Absent if none did.
    #[serde(skip_serializing_if = "is_empty", default = "no_returns")]
    #[schemars(with = "Vec<ReturnedUnits>")]
    pub returned: Arc<[ReturnedUnits]>,
}

impl Order {
    /// Whether the order exists for readers. An order that waits for stock in a lifecycle with `visible = "reserved"`
    /// does not.
    pub fn is_visible(&self) -> bool {
        self.version > 0
    }
}

fn is_empty(returned: &Arc<[ReturnedUnits]>) -> bool {
    returned.is_empty()
}

fn no_returns() -> Arc<[ReturnedUnits]> {
    Arc::new([])
}

fn no_failures() -> Arc<[Failure]> {
    Arc::new([])
}
