//! What clients send, as written: unknown fields are refused, names and numbers are not looked at yet.
//!
//! Numbers are taken as any JSON number and texts as any string, so that [`crate::validate`] can collect all that
//! is wrong with a request instead of stopping at the first field.

use std::{fmt, ops::RangeInclusive};

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, de};

use crate::http::Object;

/// A JSON number that should be an integer: `None` if it has a fraction or is beyond 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub Option<i64>);

impl Whole {
    /// The integer, if it is one and within `range`.
    pub fn within(self, range: RangeInclusive<i64>) -> Option<i64> {
        self.0.filter(|integer| range.contains(integer))
    }
}

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;

        impl de::Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an integer")
            }

            fn visit_u64<E: de::Error>(self, integer: u64) -> Result<Whole, E> {
                Ok(Whole(i64::try_from(integer).ok()))
            }

            fn visit_i64<E: de::Error>(self, integer: i64) -> Result<Whole, E> {
                Ok(Whole(Some(integer)))
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Whole, E> {
                Ok(Whole(None))
            }
        }

        deserializer.deserialize_any(Number)
    }
}

/// An order to place: the body of `POST /orders`, or a line of `POST /orders/batch`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// What its prices are in.
    pub currency: CompactString,
    /// What is ordered.
    pub lines: Vec<Object<LineRequest>>,
    /// Whose order it is; a customer's own when absent.
    pub customer_id: Option<CompactString>,
    /// Makes a repeat harmless; the header `Idempotency-Key` says the same.
    pub idempotency_key: Option<CompactString>,
    /// When the customer placed it.
    pub placed_at: Option<CompactString>,
    /// Where it was placed.
    pub channel: Option<CompactString>,
    /// The customer's words.
    pub notes: Option<CompactString>,
}

/// A line of an order to place.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineRequest {
    /// What.
    pub sku: CompactString,
    /// How many units.
    pub quantity: Whole,
    /// The price of one unit in minor units.
    pub unit_price: Option<Whole>,
}

/// The body of `POST /check-availability`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WantedRequest {
    /// The lines of the order that somebody may place.
    pub lines: Vec<Object<LineRequest>>,
}

/// The body of `PATCH /orders/{id}/status`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRequest {
    /// The state asked for, or a courier's word for it.
    pub status: CompactString,
    /// Why.
    pub reason: Option<CompactString>,
}

/// The body, if there is one, of `POST /orders/{id}/cancel` and the other actions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// Why.
    pub reason: Option<CompactString>,
}

/// The body of `POST /inventory/{sku}/receipts`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRequest {
    /// How many units came in.
    pub quantity: Whole,
}

/// A line of `POST /inventory/batch`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptLine {
    /// Of what.
    pub sku: CompactString,
    /// How many units came in.
    pub quantity: Whole,
    /// Makes a repeat harmless.
    pub idempotency_key: Option<CompactString>,
}

/// The body of `POST /inventory/{sku}/adjustments`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentRequest {
    /// How many units more or less.
    pub delta: Whole,
    /// Why.
    pub reason: CompactString,
}

/// The body of `PUT /products/{sku}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductRequest {
    /// What it is called.
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Whole,
    /// What the price is in.
    pub currency: CompactString,
}

/// A line of `POST /products/batch`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProductLine {
    /// Which.
    pub sku: CompactString,
    /// What it is called.
    pub name: CompactString,
    /// The price of one unit in minor units.
    pub unit_price: Whole,
    /// What the price is in.
    pub currency: CompactString,
}
