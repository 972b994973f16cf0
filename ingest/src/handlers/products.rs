//! `PUT /products/{sku}`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use orderflow_schemas::StockCommand;
use tracing::instrument;

use super::stock::{KEEPERS, carry_out};
use crate::{
    http::{Caller, Json, PathPart, Problem, Trace},
    preconditions::{NoConditions, NoKey},
    requests::ProductRequest,
    service::Ingest,
    validate,
};

/// Puts a product into the catalogue. The same product again changes nothing, so it takes no key.
#[instrument(skip_all)]
pub async fn set(
    State(ingest): State<Arc<Ingest>>,
    PathPart(sku): PathPart,
    caller: Caller,
    Trace(trace): Trace,
    _: (NoKey, NoConditions),
    Json(request): Json<ProductRequest>,
) -> Result<Response, Problem> {
    caller.require(&KEEPERS)?;
    let sku = validate::sku(&sku)?;
    let command = validate::set_product(sku.clone(), request, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::SetProduct(command), trace).await
}
