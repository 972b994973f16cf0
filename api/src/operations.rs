//! The descriptions of the routes: what each does and answers. What it takes is known from its handler.

use http::{StatusCode, header};
use orderflow_database::HistoryEntry;
use orderflow_schemas::Order;
use orderflow_web::{List, Product, StockLevels, openapi::Operation};
use serde_json::json;

use crate::{
    health::{HealthView, Live, PartView},
    records::{NEXT_OFFSET, TopicsView},
    shipments::ShipmentView,
    stock::Availability,
};

const ORDERS: &str = "orders";
const STOCK: &str = "stock";
const CATALOGUE: &str = "catalogue";
const SHIPMENTS: &str = "shipments";
const OPERATION: &str = "operation";

/// `GET /orders/{id}`
pub fn show_order(operation: &mut Operation<'_>) {
    operation
        .is(ORDERS, "See an order", "")
        .takes_header(
            &header::IF_NONE_MATCH,
            schemars::json_schema!({ "type": "string", "format": "etags" }),
            "`*`, or ETags of versions that the client has, RFC 9110; 304 if the order has one of them.",
        )
        .takes_header(
            &header::IF_MATCH,
            schemars::json_schema!({ "type": "string", "format": "etags" }),
            "`*`, or ETags of the versions that the client wants, RFC 9110.",
        )
        .answers::<Order>(StatusCode::OK, "The order.")
        .with_header(StatusCode::OK, &header::ETAG, "the version of the order, in quotes")
        .answers_nothing(StatusCode::NOT_MODIFIED, "The client has this version.")
        .with_header(StatusCode::NOT_MODIFIED, &header::ETAG, "the version of the order, in quotes")
        .fails(StatusCode::BAD_REQUEST, "invalid-if-match")
        .fails(StatusCode::BAD_REQUEST, "invalid-if-none-match")
        .fails(StatusCode::NOT_FOUND, "order-not-found")
        .fails(StatusCode::PRECONDITION_FAILED, "stale-version");
}

/// `GET /orders`
pub fn list_orders(operation: &mut Operation<'_>) {
    operation.is(ORDERS, "List orders", "The newest first. Customers see their own.");
    list::<Order>(operation);
    operation.fails(StatusCode::BAD_REQUEST, "no-accounts");
}

/// `GET /orders/user/{id}`
pub fn list_orders_of_customer(operation: &mut Operation<'_>) {
    operation.is(ORDERS, "List the orders of a customer", "The newest first.");
    list::<Order>(operation);
    operation.fails(StatusCode::BAD_REQUEST, "no-accounts");
}

/// `GET /search/orders/{id}/history`
pub fn history(operation: &mut Operation<'_>) {
    operation.is(ORDERS, "See the history of an order", "Every change of the order, the first one first.");
    list::<HistoryEntry>(operation);
    operation.fails(StatusCode::NOT_FOUND, "order-not-found");
}

/// `GET /orders/{id}/shipment`
pub fn show_shipment(operation: &mut Operation<'_>) {
    operation
        .is(
            SHIPMENTS,
            "See the shipment of an order",
            "What couriers reported, beside what became of the order. Times of arrival are the server's; `occurred_at` is \
             the courier's.",
        )
        .answers::<ShipmentView>(StatusCode::OK, "The shipment.")
        .fails(StatusCode::NOT_FOUND, "order-not-found");
}

/// `GET /inventory`
pub fn list_levels(operation: &mut Operation<'_>) {
    operation.is(STOCK, "List the stock levels", "By SKU.");
    list::<StockLevels>(operation);
}

/// `GET /inventory/{sku}`
pub fn show_levels(operation: &mut Operation<'_>) {
    operation
        .is(STOCK, "See the stock levels of a SKU", "")
        .answers::<StockLevels>(StatusCode::OK, "The levels.")
        .fails(StatusCode::NOT_FOUND, "unknown-sku");
}

/// `GET /inventory/batch`
pub fn show_levels_of_batch(operation: &mut Operation<'_>) {
    show_levels(operation);
    operation.is(STOCK, "See the stock levels of the SKU `batch`", "`batch` is also a SKU.");
}

/// `GET /products`
pub fn list_products(operation: &mut Operation<'_>) {
    operation.is(CATALOGUE, "List the catalogue", "By SKU.");
    list::<Product>(operation);
}

/// `GET /products/{sku}`
pub fn show_product(operation: &mut Operation<'_>) {
    operation
        .is(CATALOGUE, "See a product", "")
        .answers::<Product>(StatusCode::OK, "The product.")
        .fails(StatusCode::NOT_FOUND, "unknown-sku");
}

/// `GET /products/batch`
pub fn show_product_batch(operation: &mut Operation<'_>) {
    show_product(operation);
    operation.is(CATALOGUE, "See the product `batch`", "`batch` is also a SKU.");
}

/// `POST /check-availability`
pub fn check_availability(operation: &mut Operation<'_>) {
    operation
        .is(STOCK, "Ask whether an order could be filled", "Asking reserves nothing.")
        .example(json!({ "lines": [{ "sku": "A123", "quantity": 2 }] }))
        .answers::<Availability>(StatusCode::OK, "What is available now.")
        .fails(StatusCode::BAD_REQUEST, "total-too-large");
}

/// `GET /topics`
pub fn list_topics(operation: &mut Operation<'_>) {
    operation
        .is(OPERATION, "List the topics of the log", "With the bounds of their partitions.")
        .answers::<TopicsView>(StatusCode::OK, "The topics.");
    reads_log(operation);
}

/// `GET /topics/{topic}/{partition}/records`
pub fn list_records(operation: &mut Operation<'_>) {
    operation
        .is(
            OPERATION,
            "Read records of the log",
            "Lines of JSON: the coordinates of a record, and its JSON as `value`, or its bytes as `text` or `hex`.",
        )
        .answers_text(StatusCode::OK, "application/x-ndjson", "Durable records.")
        .with_header(StatusCode::OK, &NEXT_OFFSET, "the offset to go on from")
        .fails(StatusCode::NOT_FOUND, "unknown-partition")
        .fails(StatusCode::GONE, "records-removed");
    reads_log(operation);
}

/// `GET /health`
pub fn health(operation: &mut Operation<'_>) {
    operation
        .is(OPERATION, "See the health of every part", "")
        .answers::<HealthView>(StatusCode::OK, "Every part is ready.")
        .answers::<HealthView>(StatusCode::SERVICE_UNAVAILABLE, "A part is not ready.")
        .has_own_errors();
}

/// `GET /health/live`
pub fn live(operation: &mut Operation<'_>) {
    operation
        .is(OPERATION, "Ask whether the process responds", "")
        .answers::<Live>(StatusCode::OK, "It does.");
}

/// `GET /health/ready`
pub fn ready(operation: &mut Operation<'_>) {
    operation
        .is(
            OPERATION,
            "Ask whether the server takes requests",
            "For load balancers: a server that waits for a store takes orders.",
        )
        .answers::<PartView>(StatusCode::OK, "It does.")
        .answers::<PartView>(StatusCode::SERVICE_UNAVAILABLE, "It does not, or not yet.")
        .has_own_errors();
}

/// `GET /metrics`
pub fn metrics(operation: &mut Operation<'_>) {
    operation.is(OPERATION, "Scrape the metrics", "").answers_text(
        StatusCode::OK,
        "text/plain",
        "All metrics in the text format of Prometheus.",
    );
}

fn list<T: schemars::JsonSchema>(operation: &mut Operation<'_>) {
    operation
        .answers::<List<T>>(StatusCode::OK, "A part of the list.")
        .fails(StatusCode::BAD_REQUEST, "page-too-deep");
}

fn reads_log(operation: &mut Operation<'_>) {
    operation.fails(StatusCode::SERVICE_UNAVAILABLE, "log-unavailable");
}
