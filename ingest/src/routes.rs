//! Every route of the write API.
//!
//! The caller must be put into the request's extensions by a layer around these routes, see [`crate::http::caller`].

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{delete, patch, post, put},
};
use tower_http::decompression::RequestDecompressionLayer;

use crate::{
    handlers::{orders, products, status, stock},
    service::Ingest,
    stream,
};

/// The routes of the write API.
pub fn routes(ingest: Arc<Ingest>) -> Router {
    let body_bytes_max = ingest.settings.body_bytes_max;
    let streams = Router::new()
        .route("/orders/batch", post(stream::orders))
        .route("/inventory/batch", post(stream::receipts))
        .route("/products/batch", post(stream::products))
        .layer(DefaultBodyLimit::disable())
        .layer(RequestDecompressionLayer::new().gzip(true).zstd(true).pass_through_unaccepted(true));
    Router::new()
        .route("/orders", post(orders::place))
        .route("/orders/{id}", delete(status::cancel))
        .route("/orders/{id}/status", patch(status::change))
        .route("/orders/{id}/cancel", post(status::cancel))
        .route("/orders/{id}/approve", post(status::approve))
        .route("/orders/{id}/reject", post(status::reject))
        .route("/inventory/{sku}/receipts", post(stock::receive))
        .route("/inventory/{sku}/adjustments", post(stock::adjust))
        .route("/products/{sku}", put(products::set))
        .layer(DefaultBodyLimit::max(body_bytes_max))
        .merge(streams)
        .with_state(ingest)
}
