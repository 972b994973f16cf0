//! All routes of the read API.

use http::Method;
use orderflow_web::{
    Action::{ListOrders, ReadLog, ReadOrder, ReadShipment, ReadStock},
    Route, Routes,
};

use crate::{health, operations, orders, records, shipments, state::Api, stock};

/// The routes of the read API and of health. A middleware around the routes that need a caller puts the caller into
/// their requests.
pub fn routes(state: Api) -> Routes {
    unbound().with_state(state)
}

/// The declarations of these routes and of the metrics.
pub fn declared() -> Vec<Route> {
    unbound().merge(unbound_metrics()).declared().to_vec()
}

fn unbound() -> Routes<Api> {
    Routes::new()
        .route(Method::GET, "/orders", ListOrders, orders::list, operations::list_orders)
        .route(Method::GET, "/orders/{id}", ReadOrder, orders::show, operations::show_order)
        .route(
            Method::GET,
            "/orders/user/{id}",
            ListOrders,
            orders::list_of_user,
            operations::list_orders_of_customer,
        )
        .route(Method::GET, "/search/orders/{id}/history", ReadOrder, orders::history, operations::history)
        .route(Method::GET, "/orders/{id}/shipment", ReadShipment, shipments::show, operations::show_shipment)
        .route(Method::GET, "/inventory", ReadStock, stock::list_levels, operations::list_levels)
        .route(Method::GET, "/inventory/{sku}", ReadStock, stock::show_levels, operations::show_levels)
        .route(
            Method::GET,
            "/inventory/batch",
            ReadStock,
            stock::show_levels,
            operations::show_levels_of_batch,
        )
        .route(Method::GET, "/products", ReadStock, stock::list_products, operations::list_products)
        .route(Method::GET, "/products/{sku}", ReadStock, stock::show_product, operations::show_product)
        .route(Method::GET, "/products/batch", ReadStock, stock::show_product, operations::show_product_batch)
        .route(
            Method::POST,
            "/check-availability",
            ReadStock,
            stock::check_availability,
            operations::check_availability,
        )
        .route(Method::GET, "/topics", ReadLog, records::list_topics, operations::list_topics)
        .route(
            Method::GET,
            "/topics/{topic}/{partition}/records",
            ReadLog,
            records::list_records,
            operations::list_records,
        )
        .sends("/topics/{topic}/{partition}/records", &["application/x-ndjson"])
        .merge(health_routes())
}

/// The route of the metrics, which may be on another listener than the read API.
pub fn metrics_route(state: Api) -> Routes {
    unbound_metrics().with_state(state)
}

fn unbound_metrics() -> Routes<Api> {
    Routes::new()
        .open(Method::GET, "/metrics", health::metrics, operations::metrics)
        .sends("/metrics", &["text/plain"])
}

/// Health and metrics, for a listener of their own.
pub fn monitoring_routes(state: Api) -> Routes {
    health_routes().with_state(state.clone()).merge(metrics_route(state))
}

fn health_routes() -> Routes<Api> {
    Routes::new()
        .open(Method::GET, "/health", health::show, operations::health)
        .open(Method::GET, "/health/live", health::live, operations::live)
        .open(Method::GET, "/health/ready", health::ready, operations::ready)
}
