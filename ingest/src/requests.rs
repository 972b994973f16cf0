//! Request bodies as clients write them. Unknown fields are refused; names and numbers are not checked yet.
//!
//! Any JSON number is accepted as a number and any string as a text, so that [`crate::validate`] can collect everything
//! that is wrong with a request instead of stopping at the first field.

use compact_str::CompactString;
use orderflow_schemas::{
    Amount, Currency, CustomerId, IdempotencyKey, Sku, Status, Timestamp,
    limits::{
        CHANNEL_CHARS_MAX, LINES_MAX, NOTES_CHARS_MAX, PRODUCT_NAME_CHARS_MAX, REASON_CHARS_MAX, RECEIPT_MAX,
    },
};
use orderflow_web::{
    Object,
    fields::{PATTERN_OF_LINE, PATTERN_OF_PROSE, Whole},
    order_lines::LineRequest,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// An order to place: the body of `POST /orders`, or a line of `POST /orders/batch`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The currency of the order's prices: an ISO 4217 code such as `EUR`.
    #[schemars(with = "Currency")]
    pub currency: CompactString,
    /// The lines of the order, 1 to 500.
    #[schemars(length(min = 1, max = LINES_MAX))]
    pub lines: Vec<Object<LineRequest>>,
    /// The customer whose order it is. A customer may omit it and orders for themselves; an admin or a service must
    /// give it.
    #[schemars(with = "Option<CustomerId>")]
    pub customer_id: Option<CompactString>,
    /// The idempotency key, which makes a repeat harmless. The header `Idempotency-Key` has the same meaning.
    #[schemars(with = "Option<IdempotencyKey>")]
    pub idempotency_key: Option<CompactString>,
    /// When the customer placed the order: RFC 3339.
    #[schemars(with = "Option<Timestamp>")]
    pub placed_at: Option<CompactString>,
    /// The sales channel in which the order was placed, at most 100 characters.
    #[schemars(with = "Option<String>", length(max = CHANNEL_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    pub channel: Option<CompactString>,
    /// The customer's notes on the order, at most 1,000 characters.
    #[schemars(with = "Option<String>", length(max = NOTES_CHARS_MAX), regex(pattern = PATTERN_OF_PROSE))]
    pub notes: Option<CompactString>,
}

/// The body of `PATCH /orders/{id}/status`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusRequest {
    /// The name of the state to move to, or an alias of it for the caller's role, such as a courier's word.
    #[schemars(with = "Status")]
    pub status: CompactString,
    /// The reason for the change, in the caller's words, at most 500 characters.
    #[schemars(with = "Option<String>", length(max = REASON_CHARS_MAX), regex(pattern = PATTERN_OF_PROSE))]
    pub reason: Option<CompactString>,
}

/// The optional body of `POST /orders/{id}/cancel` and the other actions.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionRequest {
    /// The reason for the action, in the caller's words, at most 500 characters.
    #[schemars(with = "Option<String>", length(max = REASON_CHARS_MAX), regex(pattern = PATTERN_OF_PROSE))]
    pub reason: Option<CompactString>,
}

/// The body of `POST /inventory/{sku}/receipts`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptRequest {
    /// Units to receive, 1 to 1,000,000,000.
    #[schemars(range(min = 1, max = RECEIPT_MAX))]
    pub quantity: Whole,
}

/// A line of `POST /inventory/batch`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReceiptLine {
    /// The SKU received.
    #[schemars(with = "Sku")]
    pub sku: CompactString,
    /// Units to receive, 1 to 1,000,000,000.
    #[schemars(range(min = 1, max = RECEIPT_MAX))]
    pub quantity: Whole,
    /// The idempotency key of this line, which makes a repeat harmless.
    #[schemars(with = "Option<IdempotencyKey>")]
    pub idempotency_key: Option<CompactString>,
}

/// The body of `POST /inventory/{sku}/adjustments`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdjustmentRequest {
    /// Units found (positive) or lost (negative): -1,000,000,000 to 1,000,000,000 and not 0.
    #[schemars(range(min = -i64::from(RECEIPT_MAX), max = RECEIPT_MAX), extend("not" = { "const": 0 }))]
    pub delta: Whole,
    /// The reason for the correction, in the caller's words, 1 to 500 characters.
    #[schemars(with = "String", length(min = 1, max = REASON_CHARS_MAX), regex(pattern = PATTERN_OF_PROSE))]
    pub reason: CompactString,
}

/// The body of `PUT /products/{sku}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductRequest {
    /// The name of the product, 1 to 200 characters.
    #[schemars(with = "String", length(min = 1, max = PRODUCT_NAME_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    pub name: CompactString,
    /// The price of one unit in minor units of the currency.
    #[schemars(range(min = 0, max = Amount::PRICE_MAX.0))]
    pub unit_price: Whole,
    /// The currency of the price: an ISO 4217 code such as `EUR`.
    #[schemars(with = "Currency")]
    pub currency: CompactString,
}

/// A line of `POST /products/batch`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProductLine {
    /// The SKU of the product.
    #[schemars(with = "Sku")]
    pub sku: CompactString,
    /// The name of the product, 1 to 200 characters.
    #[schemars(with = "String", length(min = 1, max = PRODUCT_NAME_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    pub name: CompactString,
    /// The price of one unit in minor units of the currency.
    #[schemars(range(min = 0, max = Amount::PRICE_MAX.0))]
    pub unit_price: Whole,
    /// The currency of the price: an ISO 4217 code such as `EUR`.
    #[schemars(with = "Currency")]
    pub currency: CompactString,
    /// The idempotency key of this line, which makes a repeat harmless.
    #[schemars(with = "Option<IdempotencyKey>")]
    pub idempotency_key: Option<CompactString>,
}
