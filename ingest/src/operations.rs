//! The descriptions of the routes: what each does and answers. What it takes is known from its handler.

use http::{StatusCode, header};
use orderflow_schemas::Order;
use orderflow_web::{
    IDEMPOTENT_REPLAYED, PREFERENCE_APPLIED, Product, StockLevels, openapi::Operation, position::POSITION,
};
use serde_json::json;

use crate::{
    answers::{AcceptedOrder, AcceptedStock},
    requests::{OrderRequest, ProductLine, ReceiptLine},
    stream::report::StreamAnswer,
};

const ORDERS: &str = "orders";
const STOCK: &str = "stock";
const CATALOGUE: &str = "catalogue";
const SHIPMENTS: &str = "shipments";

/// `POST /orders`
pub fn place(operation: &mut Operation<'_>) {
    operation
        .is(
            ORDERS,
            "Place an order",
            "Waits for the decision: the order is reserved, or failed for want of stock. A repeat with the same \
             `Idempotency-Key` and the same content gets the same status and the order as it is now.",
        )
        .example(json!({ "customer_id": "c-17", "currency": "EUR", "lines": [{ "sku": "A123", "quantity": 2, "unit_price": 1299 }] }))
        .answers::<Order>(StatusCode::CREATED, "The order is reserved.")
        .answers::<AcceptedOrder>(StatusCode::ACCEPTED, "The order is durable and not decided yet.")
        .with_header(StatusCode::ACCEPTED, &PREFERENCE_APPLIED, "the preferences that were honoured")
        .fails(StatusCode::BAD_REQUEST, "total-too-large")
        .fails(StatusCode::CONFLICT, "out-of-stock")
        .fails(StatusCode::CONFLICT, "price-changed")
        .fails(StatusCode::CONFLICT, "price-unknown")
        .fails(StatusCode::CONFLICT, "currency-mismatch")
        .fails(StatusCode::CONFLICT, "total-too-large");
    for status in [StatusCode::CREATED, StatusCode::ACCEPTED] {
        operation
            .with_header(status, &header::LOCATION, "the path of the order")
            .with_header(status, &IDEMPOTENT_REPLAYED, "`true` if the request repeats an earlier one")
            .leads_to(status, "get_orders_id", "id", "$response.body#/id")
            .leads_to(status, "patch_orders_id_status", "id", "$response.body#/id")
            .leads_to(status, "post_orders_id_cancel", "id", "$response.body#/id");
    }
    operation.with_header(StatusCode::CREATED, &header::ETAG, "the version of the order, in quotes");
    writes(operation, &[StatusCode::CREATED, StatusCode::ACCEPTED]);
}

/// `POST /orders/batch`
pub fn place_batch(operation: &mut Operation<'_>) {
    operation.is(
        ORDERS,
        "Place many orders",
        "A stream of any length with an order a line. Each line has a `customer_id`, and an `idempotency_key` unless the \
         request has an `Idempotency-Key`, from which those of its lines are then derived. The answer comes once all \
         accepted lines are durable; it does not wait for decisions.",
    );
    operation.takes_lines::<OrderRequest>("A line is an `OrderRequest`.");
    stream(operation);
    operation.example(json!("{\"customer_id\":\"c-17\",\"idempotency_key\":\"k-1\",\"currency\":\"EUR\",\"lines\":[{\"sku\":\"A123\",\"quantity\":2,\"unit_price\":1299}]}\n"));
}

/// `PATCH /orders/{id}/status`
pub fn change(operation: &mut Operation<'_>) {
    operation
        .is(
            ORDERS,
            "Move an order to another state",
            "The lifecycle says who may move an order from which state to which.",
        )
        .example(json!({ "status": "CANCELED", "reason": "ordered twice" }));
    changes(operation);
    operation.fails(StatusCode::BAD_REQUEST, "unknown-status");
}

/// `DELETE /orders/{id}`
pub fn delete(operation: &mut Operation<'_>) {
    operation.is(
        ORDERS,
        "Cancel an order",
        "The same as `POST /orders/{id}/cancel`: the order stays, in another state.",
    );
    changes(operation);
}

/// `POST /orders/{id}/cancel`
pub fn cancel(operation: &mut Operation<'_>) {
    operation.is(
        ORDERS,
        "Cancel an order",
        "Moves the order to the state that the lifecycle names for `cancel`.",
    );
    changes(operation);
}

/// `POST /orders/{id}/approve`
pub fn approve(operation: &mut Operation<'_>) {
    operation.is(
        ORDERS,
        "Approve an order",
        "Moves the order to the state that the lifecycle names for `approve`.",
    );
    changes(operation);
}

/// `POST /orders/{id}/reject`
pub fn reject(operation: &mut Operation<'_>) {
    operation.is(
        ORDERS,
        "Reject an order",
        "Moves the order to the state that the lifecycle names for `reject`.",
    );
    changes(operation);
}

/// `PUT /orders/{id}/courier`
pub fn assign_courier(operation: &mut Operation<'_>) {
    operation
        .is(
            SHIPMENTS,
            "Name the courier of an order",
            "From then on, no other courier may act for the order or read it. `null` lets any courier do so.",
        )
        .example(json!({ "client_id": "courier-1" }));
    changes(operation);
}

/// `POST /shipments/{order_id}/events`
pub fn report_shipment(operation: &mut Operation<'_>) {
    operation
        .is(
            SHIPMENTS,
            "Report an event of a shipment",
            "The lifecycle says which state the event means. An event that comes late or twice moves nothing, and \
             is a further entry of the history. Without `Idempotency-Key`, the same caller's report with the same \
             `event_id`, or with the same content and `occurred_at`, is a repeat and has no effect. The call waits for its \
             decision.",
        )
        .example(json!({ "status": "picked_up", "carrier": "DHL", "tracking_number": "JJD01", "location": "Berlin" }));
    changes(operation);
}

/// `POST /orders/{id}/returns`
pub fn take_back(operation: &mut Operation<'_>) {
    operation
        .is(
            SHIPMENTS,
            "Take back units of an order",
            "At most what was shipped, over all returns. The units are available again, or written off. The lifecycle \
             says in which states an order takes returns.",
        )
        .example(json!({ "lines": [{ "line": 1, "quantity": 1, "to": "stock" }], "reason": "too small" }))
        .fails(StatusCode::CONFLICT, "returns-closed")
        .fails(StatusCode::CONFLICT, "more-than-shipped");
    changes(operation);
}

/// `POST /inventory/{sku}/receipts`
pub fn receive(operation: &mut Operation<'_>) {
    operation
        .is(STOCK, "Receive units of a SKU", "Waits for the decision and answers with the levels after it.")
        .example(json!({ "quantity": 100 }))
        .fails(StatusCode::CONFLICT, "level-overflow");
    stock::<StockLevels>(operation, "The levels after the receipt.");
}

/// `POST /inventory/{sku}/adjustments`
pub fn adjust(operation: &mut Operation<'_>) {
    operation
        .is(
            STOCK,
            "Correct the available units of a SKU",
            "Waits for the decision and answers with the levels after it.",
        )
        .example(json!({ "delta": -3, "reason": "broken" }))
        .fails(StatusCode::CONFLICT, "negative-stock")
        .fails(StatusCode::CONFLICT, "level-overflow");
    stock::<StockLevels>(operation, "The levels after the correction.");
}

/// `POST /inventory/batch`
pub fn receive_batch(operation: &mut Operation<'_>) {
    operation.is(STOCK, "Receive units of many SKUs", "A stream of any length with a receipt a line.");
    operation.takes_lines::<ReceiptLine>("A line is a `ReceiptLine`.");
    stream(operation);
    operation.example(json!("{\"sku\":\"A123\",\"quantity\":100}\n"));
}

/// `PUT /products/{sku}`
pub fn set_product(operation: &mut Operation<'_>) {
    operation
        .is(CATALOGUE, "Put a product into the catalogue", "Sets its name and its price, or changes them.")
        .example(json!({ "name": "A blue chair", "unit_price": 1299, "currency": "EUR" }));
    stock::<Product>(operation, "The product.");
}

/// `PUT /products/batch`
pub fn set_product_named_batch(operation: &mut Operation<'_>) {
    set_product(operation);
    operation.is(CATALOGUE, "Put the product `batch` into the catalogue", "`batch` is also a SKU.");
}

/// `POST /products/batch`
pub fn set_products(operation: &mut Operation<'_>) {
    operation.is(
        CATALOGUE,
        "Put many products into the catalogue",
        "A stream of any length with a product a line.",
    );
    operation.takes_lines::<ProductLine>("A line is a `ProductLine`.");
    stream(operation);
    operation.example(json!(
        "{\"sku\":\"A123\",\"name\":\"A blue chair\",\"unit_price\":1299,\"currency\":\"EUR\"}\n"
    ));
}

/// A change of an order.
fn changes(operation: &mut Operation<'_>) {
    operation
        .answers::<Order>(StatusCode::OK, "The order after the change.")
        .with_header(StatusCode::OK, &header::ETAG, "the version of the order, in quotes")
        .with_header(StatusCode::OK, &IDEMPOTENT_REPLAYED, "`true` if the request repeats an earlier one")
        .answers::<AcceptedOrder>(StatusCode::ACCEPTED, "The change is durable and not decided yet.")
        .with_header(StatusCode::ACCEPTED, &PREFERENCE_APPLIED, "the preferences that were honoured")
        .with_header(StatusCode::ACCEPTED, &header::LOCATION, "the path of the order")
        .fails(StatusCode::NOT_FOUND, "order-not-found")
        .fails(StatusCode::CONFLICT, "illegal-transition")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "store-unavailable");
    writes(operation, &[StatusCode::OK, StatusCode::ACCEPTED]);
}

/// A change of a SKU.
fn stock<T: schemars::JsonSchema>(operation: &mut Operation<'_>, description: &str) {
    operation
        .answers::<T>(StatusCode::OK, description)
        .with_header(StatusCode::OK, &IDEMPOTENT_REPLAYED, "`true` if the request repeats an earlier one")
        .answers::<AcceptedStock>(StatusCode::ACCEPTED, "The command is durable and not decided yet.")
        .with_header(StatusCode::ACCEPTED, &PREFERENCE_APPLIED, "the preferences that were honoured");
    writes(operation, &[StatusCode::OK, StatusCode::ACCEPTED]);
}

/// A stream of lines.
fn stream(operation: &mut Operation<'_>) {
    operation
        .answers::<StreamAnswer<'_>>(StatusCode::ACCEPTED, "All accepted lines are durable.")
        .fails(StatusCode::BAD_REQUEST, "body-incomplete")
        .fails(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type")
        .fails(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-encoding");
    writes(operation, &[StatusCode::ACCEPTED]);
}

/// What every write has: the position to read from, and the failures of the log.
fn writes(operation: &mut Operation<'_>, successes: &[StatusCode]) {
    for status in successes {
        operation.with_header(*status, &POSITION, "what a read must have reached to see this write");
    }
    operation
        .fails(StatusCode::PAYLOAD_TOO_LARGE, "record-too-large")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "shutting-down")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "log-full")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "log-unavailable");
}
