//! All routes of the write API.
//!
//! A layer around the routes that need a caller must put the caller into the request's extensions.

use std::sync::Arc;

use http::Method;
use orderflow_web::{
    Action::{AssignCourier, KeepStock, MoveOrder, PlaceOrder, PlaceOrders, ReportShipment, TakeReturns},
    Route, Routes,
};

use crate::{
    handlers::{orders, products, shipments, status, stock},
    operations,
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
        .route(Method::POST, "/orders", PlaceOrder, orders::place, operations::place)
        .route(Method::POST, "/orders/batch", PlaceOrders, stream::orders, operations::place_batch)
        .route(Method::DELETE, "/orders/{id}", MoveOrder, status::cancel, operations::delete)
        .route(Method::PATCH, "/orders/{id}/status", MoveOrder, status::change, operations::change)
        .route(Method::POST, "/orders/{id}/cancel", MoveOrder, status::cancel, operations::cancel)
        .route(Method::POST, "/orders/{id}/approve", MoveOrder, status::approve, operations::approve)
        .route(Method::POST, "/orders/{id}/reject", MoveOrder, status::reject, operations::reject)
        .route(
            Method::PUT,
            "/orders/{id}/courier",
            AssignCourier,
            shipments::assign_courier,
            operations::assign_courier,
        )
        .route(Method::POST, "/orders/{id}/returns", TakeReturns, shipments::take_back, operations::take_back)
        .route(
            Method::POST,
            "/shipments/{order_id}/events",
            ReportShipment,
            shipments::report,
            operations::report_shipment,
        )
        .route(Method::POST, "/inventory/batch", KeepStock, stream::receipts, operations::receive_batch)
        .route(Method::POST, "/inventory/{sku}/receipts", KeepStock, stock::receive, operations::receive)
        .route(Method::POST, "/inventory/{sku}/adjustments", KeepStock, stock::adjust, operations::adjust)
        .route(Method::POST, "/products/batch", KeepStock, stream::products, operations::set_products)
        .route(Method::PUT, "/products/batch", KeepStock, products::set, operations::set_product_named_batch)
        .route(Method::PUT, "/products/{sku}", KeepStock, products::set, operations::set_product)
}
