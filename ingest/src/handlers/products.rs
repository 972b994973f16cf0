//! `PUT /products/{sku}`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use orderflow_schemas::{Sku, StockCommand};
use orderflow_web::{CallKey, Caller, Id, Json, NoConditions, Problem};
use tracing::instrument;

use super::{WriteContext, stock::carry_out};
use crate::{requests::ProductRequest, service::Ingest, validate};

/// Puts a product into the catalogue.
#[instrument(level = "debug", skip_all)]
pub async fn set(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(sku): Id<Sku>,
    context: WriteContext,
    key: CallKey,
    _: NoConditions,
    Json(request): Json<ProductRequest>,
) -> Result<Response, Problem> {
    let command = validate::set_product(sku.clone(), request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::SetProduct(command), context).await
}
