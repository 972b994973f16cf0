//! `POST /inventory/{sku}/receipts` and `/adjustments`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use orderflow_schemas::{
    Payload, Position, Sku, StockCommand, StockEvent,
    events::{CatalogueEntry, ProductUpdated, StockRepeated},
};
use orderflow_web::{
    CallKey, Caller, Id, Json, NoConditions, Problem, Product, StockLevels, json, with_position,
};
use tracing::instrument;

use super::WriteContext;
use crate::{
    answers::{self, AcceptedStock},
    appender::EncodedCommands,
    decisions::{DecidedEvent, Decision},
    requests::{AdjustmentRequest, ReceiptRequest},
    service::Ingest,
    validate,
};

/// Receives units of a SKU into stock.
#[instrument(level = "debug", skip_all)]
pub async fn receive(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(sku): Id<Sku>,
    context: WriteContext,
    key: CallKey,
    _: NoConditions,
    Json(request): Json<ReceiptRequest>,
) -> Result<Response, Problem> {
    let command = validate::receive(sku.clone(), &request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::Receive(command), context).await
}

/// Corrects the available units of a SKU.
#[instrument(level = "debug", skip_all)]
pub async fn adjust(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(sku): Id<Sku>,
    context: WriteContext,
    key: CallKey,
    _: NoConditions,
    Json(request): Json<AdjustmentRequest>,
) -> Result<Response, Problem> {
    let command = validate::adjust(sku.clone(), request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::Adjust(command), context).await
}

/// Appends a command about a SKU and turns its decision into a response.
pub async fn carry_out(
    ingest: &Ingest,
    sku: &Sku,
    command: &StockCommand,
    context: WriteContext,
) -> Result<Response, Problem> {
    let topic_partition = ingest.partition_of_sku(sku);
    let prefer = context.prefer;
    let is_keyed = match command {
        StockCommand::Receive(command) => command.idempotency.is_some(),
        StockCommand::Adjust(command) => command.idempotency.is_some(),
        StockCommand::SetProduct(command) => command.idempotency.is_some(),
        StockCommand::Reserve(_)
        | StockCommand::Release(_)
        | StockCommand::Ship(_)
        | StockCommand::Return(_) => false,
    };
    let command = EncodedCommands::of(command);
    let (appended, decision) =
        ingest.decide_as_preferred(topic_partition, command, context, is_keyed).await?;
    let Some(Decision { cause, replayed, event }) = decision else {
        let body = json(StatusCode::ACCEPTED, &AcceptedStock { sku: sku.clone() });
        let response = with_position(&Position::of(topic_partition, appended.first), body);
        return Ok(answers::as_preferred(response, prefer, ingest.settings.decision_timeout()));
    };
    let seen = answers::seen(topic_partition, cause);
    let DecidedEvent::Stock(event) = event else { return Err(answers::unexpected("an event of an order")) };
    let response = with_position(&seen, answer(*event, &seen)?);
    Ok(if replayed { answers::as_replayed(response) } else { response })
}

fn answer(event: StockEvent, seen: &Position) -> Result<Response, Problem> {
    let (sku, levels) = match event {
        StockEvent::Received(event) | StockEvent::Adjusted(event) => (event.sku, event.levels),
        StockEvent::Repeated(StockRepeated { sku, levels, product: None }) => (sku, levels),
        StockEvent::Repeated(StockRepeated { sku, product: Some(product), .. }) => {
            return Ok(shown(sku, product));
        }
        StockEvent::ProductUpdated(event) => {
            let ProductUpdated { sku, name, unit_price, currency, .. } = event;
            return Ok(shown(sku, CatalogueEntry { name, unit_price, currency }));
        }
        StockEvent::Rejected(event) => return Err(answers::rejected(event, seen)),
        other => return Err(answers::unexpected(other.kind())),
    };
    Ok(json(StatusCode::OK, &StockLevels { sku, levels }))
}

/// 200 with the product.
fn shown(sku: Sku, product: CatalogueEntry) -> Response {
    let CatalogueEntry { name, unit_price, currency } = product;
    let (name, unit_price, currency) = (Some(name), Some(unit_price), Some(currency));
    json(StatusCode::OK, &Product { sku, name, unit_price, currency })
}
