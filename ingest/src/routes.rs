//! Every route of the write API.
//!
//! The caller must be put into the request's extensions by a layer around these routes, see [`crate::http::caller`].

use std::sync::Arc;

use axum::{
    Router,
    routing::{delete, patch, post, put},
};

use crate::{
    handlers::{orders, products, status, stock},
    service::Ingest,
    stream,
};

/// The routes of the write API.
pub fn routes(ingest: Arc<Ingest>) -> Router {
    Router::new()
        .route("/orders", post(orders::place))
        .route("/orders/batch", post(stream::orders))
        .route("/orders/{id}", delete(status::cancel))
        .route("/orders/{id}/status", patch(status::change))
        .route("/orders/{id}/cancel", post(status::cancel))
        .route("/orders/{id}/approve", post(status::approve))
        .route("/orders/{id}/reject", post(status::reject))
        .route("/inventory/batch", post(stream::receipts))
        .route("/inventory/{sku}/receipts", post(stock::receive))
        .route("/inventory/{sku}/adjustments", post(stock::adjust))
        .route("/products/batch", post(stream::products).put(products::set))
        .route("/products/{sku}", put(products::set))
        .with_state(ingest)
}
