//! Every route of the read API.

use axum::{
    Router,
    routing::{get, post},
};

use crate::{health, orders, records, state::Api, stock};

/// The read API. The caller is put into the requests by a middleware around it.
pub fn routes(state: Api) -> Router {
    Router::new()
        .route("/orders", get(orders::list))
        .route("/orders/{id}", get(orders::show))
        .route("/orders/user/{id}", get(orders::list_of_user))
        .route("/search/orders/{id}/history", get(orders::history))
        .route("/inventory", get(stock::list_levels))
        .route("/inventory/{sku}", get(stock::show_levels))
        .route("/inventory/batch", get(stock::show_levels))
        .route("/products", get(stock::list_products))
        .route("/products/{sku}", get(stock::show_product))
        .route("/products/batch", get(stock::show_product))
        .route("/check-availability", post(stock::check_availability))
        .route("/topics", get(records::list_topics))
        .route("/topics/{topic}/{partition}/records", get(records::list_records))
        .route("/health", get(health::show))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/metrics", get(health::metrics))
        .with_state(state)
}
