//! `PUT /products/{sku}`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use orderflow_schemas::{Sku, StockCommand};
use orderflow_web::{CallKey, Caller, Json, NoConditions, PathPart, Prefer, Problem, Trace};
use tracing::instrument;

use super::stock::carry_out;
use crate::{requests::ProductRequest, service::Ingest, validate};

/// Puts a product into the catalogue.
#[instrument(level = "debug", skip_all)]
pub async fn set(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    path: PathPart,
    Trace(trace): Trace,
    key: CallKey,
    _: NoConditions,
    prefer: Prefer,
    Json(request): Json<ProductRequest>,
) -> Result<Response, Problem> {
    let sku: Sku = path.parse()?;
    let command = validate::set_product(sku.clone(), request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::SetProduct(command), trace, prefer).await
}
