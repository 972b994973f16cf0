//! Request bodies as clients write them. Unknown fields are refused; names and numbers are not checked yet.
//!
//! Any JSON number is accepted as a number and any string as a text, so that [`crate::validate`] can collect everything
//! that is wrong with a request instead of stopping at the first field.

use compact_str::CompactString;
use orderflow_schemas::{
    Amount, Currency, CustomerId, IdempotencyKey, ShipmentStatus, Sku, Status, Timestamp,
    limits::{
        CHANNEL_CHARS_MAX, LINES_MAX, NOTES_CHARS_MAX, PRODUCT_NAME_CHARS_MAX, QUANTITY_MAX,
        REASON_CHARS_MAX, RECEIPT_MAX, SHIPMENT_CHARS_MAX, SUBJECT_CHARS_MAX,
    },
    returns::ReturnTo,
};
use orderflow_web::{
    Object,
    fields::{PATTERN_OF_LINE, PATTERN_OF_PROSE, Whole},
    order_lines::OrderLineRequest,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

/// An order to place: the body of `POST /orders`, or a line of `POST /orders/batch`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderRequest {
    /// The currency of the order's prices: an ISO 4217 code such as `EUR`. Orders for items have none.
    #[schemars(with = "Option<Currency>")]
    pub currency: Option<CompactString>,
    /// The lines of the order, 1 to 500.
    #[schemars(length(min = 1, max = LINES_MAX))]
    pub lines: Vec<Object<OrderLineRequest>>,
    /// The customer whose order it is. A customer may omit it and orders for themselves; an admin or a service must
    /// give it.
    #[schemars(with = "Option<CustomerId>")]
    pub customer_id: Option<CompactString>,
    /// The idempotency key, which makes a repeat harmless. The header `Idempotency-Key` has the same meaning.
    #[schemars(with = "Option<IdempotencyKey>")]
    pub idempotency_key: Option<CompactString>,
    /// For how many seconds stock is held if nothing else happens, within the bounds of the lifecycle. Absent: the
    /// lifecycle's default.
    #[schemars(range(min = 1, max = u32::MAX))]
    pub reserve_for: Option<Whole>,
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
    #[schemars(with = "Status", extend("format" = "status"))]
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

/// The body of `PUT /orders/{id}/courier`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("required" = ["client_id"]))]
pub struct CourierRequest {
    /// The courier's client id, or the id of its account; null to let any courier act for the order.
    #[schemars(with = "Option<String>", length(min = 1, max = SUBJECT_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    #[serde(deserialize_with = "present")]
    pub client_id: Option<CompactString>,
}

/// A member that must be there, and may be null.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<CompactString>, D::Error> {
    Option::deserialize(deserializer)
}

/// The body of `POST /shipments/{order_id}/events`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShipmentRequest {
    /// What happened.
    #[schemars(with = "ShipmentStatus")]
    pub status: CompactString,
    /// The carrier, at most 100 characters.
    #[schemars(with = "Option<String>", length(max = SHIPMENT_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    pub carrier: Option<CompactString>,
    /// The carrier's number of the parcel, at most 100 characters.
    #[schemars(with = "Option<String>", length(max = SHIPMENT_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    pub tracking_number: Option<CompactString>,
    /// Where it happened, at most 100 characters.
    #[schemars(with = "Option<String>", length(max = SHIPMENT_CHARS_MAX), regex(pattern = PATTERN_OF_LINE))]
    pub location: Option<CompactString>,
    /// When it happened, by the courier's clock: RFC 3339. It is shown, and nothing is decided by it.
    #[schemars(with = "Option<Timestamp>")]
    pub occurred_at: Option<CompactString>,
    /// The courier's id of the event. It is the idempotency key of the request if the header `Idempotency-Key` is
    /// absent.
    #[schemars(with = "Option<IdempotencyKey>")]
    pub event_id: Option<CompactString>,
}

/// The body of `POST /orders/{id}/returns`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnRequest {
    /// The units that came back, 1 to 500 entries.
    #[schemars(length(min = 1, max = LINES_MAX))]
    pub lines: Vec<Object<ReturnLineRequest>>,
    /// The reason, in the caller's words, at most 500 characters.
    #[schemars(with = "Option<String>", length(max = REASON_CHARS_MAX), regex(pattern = PATTERN_OF_PROSE))]
    pub reason: Option<CompactString>,
}

/// Units of one line of an order that came back.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnLineRequest {
    /// The number of the line in the order, from 1.
    #[schemars(range(min = 1, max = LINES_MAX))]
    pub line: Whole,
    /// The number of units, 1 to 1,000,000.
    #[schemars(range(min = 1, max = QUANTITY_MAX))]
    pub quantity: Whole,
    /// Where the units go.
    pub to: ReturnTo,
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
