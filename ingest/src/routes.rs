//! All routes of the write API.
//!
//! A layer around the routes that need a caller must put the caller into the request's extensions.

use std::sync::Arc;

use http::Method;
use orderflow_web::{
    Action::{KeepStock, MoveOrder, PlaceOrder, PlaceOrders},
    Route, Routes,
};

use crate::{
    handlers::{orders, products, status, stock},
    service::Ingest,
    stream,
};

/// The routes of the write API, with `ingest` as their state.
pub fn routes(ingest: Arc<Ingest>) -> Routes {
    unbound().with_state(ingest)
}

/// The declarations of these routes.
pub fn declared() -> Vec<Route> {
    unbound().declared().to_vec()
}

fn unbound() -> Routes<Arc<Ingest>> {
    Routes::new()
        .route(Method::POST, "/orders", PlaceOrder, orders::place)
        .route(Method::POST, "/orders/batch", PlaceOrders, stream::orders)
        .route(Method::DELETE, "/orders/{id}", MoveOrder, status::cancel)
        .route(Method::PATCH, "/orders/{id}/status", MoveOrder, status::change)
        .route(Method::POST, "/orders/{id}/cancel", MoveOrder, status::cancel)
        .route(Method::POST, "/orders/{id}/approve", MoveOrder, status::approve)
        .route(Method::POST, "/orders/{id}/reject", MoveOrder, status::reject)
        .route(Method::POST, "/inventory/batch", KeepStock, stream::receipts)
        .route(Method::POST, "/inventory/{sku}/receipts", KeepStock, stock::receive)
        .route(Method::POST, "/inventory/{sku}/adjustments", KeepStock, stock::adjust)
        .route(Method::POST, "/products/batch", KeepStock, stream::products)
        .route(Method::PUT, "/products/batch", KeepStock, products::set)
        .route(Method::PUT, "/products/{sku}", KeepStock, products::set)
}
