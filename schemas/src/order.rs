//! An order as it stands after an event: what every sink stores and every reader sees.
//!
//! These types are also part of snapshots, whose format has no names of fields: no field here may be left out when it
//! is written.

use std::sync::Arc;

use compact_str::CompactString;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    ids::{CustomerId, IdempotencyKey, OrderId, Sku, Status},
    money::{Amount, Currency},
    time::Timestamp,
};

/// Who may do things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Places orders and sees their own.
    Customer,
    /// May do everything.
    Admin,
    /// Moves parcels.
    Courier,
    /// A program that acts for others.
    Service,
    /// Reads analytics.
    Analyst,
    /// The pipeline itself: stock replies and timers.
    System,
}

impl Role {
    /// The name in tokens, headers and pipeline files.
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

    /// The role a client may claim by this name; `system` is nobody's.
    pub fn of_client(name: &str) -> Option<Self> {
        [Self::Customer, Self::Admin, Self::Courier, Self::Service, Self::Analyst]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// Who made a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// In which role.
    pub role: Role,
    /// The account; for a customer the customer id.
    #[schemars(with = "String")]
    pub subject: CompactString,
}

impl Actor {
    /// The pipeline itself.
    pub const SYSTEM: Self = Self { role: Role::System, subject: CompactString::const_new("orderflow") };
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderLine {
    /// What.
    pub sku: Sku,
    /// How many units.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub quantity: u32,
    /// The price of one unit in minor units; absent until stock has confirmed it.
    #[serde(default)]
    pub unit_price: Option<Amount>,
}

/// Why a line of an order could not be reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// Less is available than asked for.
    OutOfStock,
    /// The catalogue has the SKU in another currency.
    CurrencyMismatch,
    /// Neither the catalogue nor the caller has a price.
    PriceUnknown,
    /// The catalogue's price is another than the customer saw.
    PriceChanged,
    /// The order's total is beyond what money can hold here.
    TotalTooLarge,
}

impl FailureCode {
    /// The stable code in `fail_reason` and problem types.
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

/// What was wrong with one SKU of an order that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// Which SKU.
    pub sku: Sku,
    /// What was wrong.
    pub problem: FailureCode,
    /// How many units were asked for.
    pub requested: u32,
    /// How many were available at that moment.
    pub available: u64,
    /// The catalogue's price then, where the price was the problem and there is one.
    #[serde(default)]
    pub unit_price: Option<Amount>,
    /// The catalogue's currency then, where there is one.
    #[serde(default)]
    pub currency: Option<Currency>,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Whose it is.
    pub customer_id: CustomerId,
    /// Its state in the lifecycle.
    pub status: Status,
    /// Counts 1, 2, 3 … with each change.
    #[schemars(range(min = 1))]
    pub version: u64,
    /// What its prices are in.
    pub currency: Currency,
    /// The sum of its lines in minor units; null until stock has confirmed the prices.
    pub total: Option<Amount>,
    /// What was ordered.
    #[schemars(with = "Vec<OrderLine>")]
    pub lines: Arc<[OrderLine]>,
    /// Where it was placed, in the seller's words.
    #[schemars(with = "Option<String>")]
    pub channel: Option<CompactString>,
    /// The customer's words.
    #[schemars(with = "Option<String>")]
    pub notes: Option<CompactString>,
    /// Why it failed or was canceled.
    #[schemars(with = "Option<String>")]
    pub fail_reason: Option<CompactString>,
    /// What was short or wrong, when it failed.
    #[serde(default = "no_failures")]
    #[schemars(with = "Vec<Failure>")]
    pub failures: Arc<[Failure]>,
    /// The client's key.
    pub idempotency_key: Option<IdempotencyKey>,
    /// When the customer placed it, as the client said; else when it was taken.
    pub placed_at: Timestamp,
    /// When orderflow took it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

fn no_failures() -> Arc<[Failure]> {
    Arc::new([])
}
