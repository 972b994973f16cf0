//! What clients send, as written: unknown fields are refused, names and numbers are not looked at yet.
//!
//! Numbers are taken as any JSON number and texts as any string, so that [`crate::validate`] can collect all that
//! is wrong with a request instead of stopping at the first field.

use compact_str::CompactString;
use orderflow_web::{Object, fields::Whole, order_lines::LineRequest};
use serde::Deserialize;

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
