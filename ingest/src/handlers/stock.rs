//! `POST /inventory/{sku}/receipts` and `/adjustments`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode};
use orderflow_schemas::{Payload, Position, Sku, StockCommand, StockEvent, envelope::TraceParent};
use orderflow_web::{
    Action, Caller, IDEMPOTENT_REPLAYED, Json, Key, NoConditions, PathPart, Problem, Product, StockLevels,
    Trace, json, with_position,
};
use tracing::instrument;

use crate::{
    answers,
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
    path: PathPart,
    Trace(trace): Trace,
    Key(key): Key,
    _: NoConditions,
    Json(request): Json<ReceiptRequest>,
) -> Result<Response, Problem> {
    caller.may(Action::KeepStock)?;
    let sku: Sku = path.parse()?;
    let command = validate::receive(sku.clone(), &request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::Receive(command), trace).await
}

/// Corrects the available units of a SKU.
#[instrument(level = "debug", skip_all)]
pub async fn adjust(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    path: PathPart,
    Trace(trace): Trace,
    Key(key): Key,
    _: NoConditions,
    Json(request): Json<AdjustmentRequest>,
) -> Result<Response, Problem> {
    caller.may(Action::KeepStock)?;
    let sku: Sku = path.parse()?;
    let command = validate::adjust(sku.clone(), request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::Adjust(command), trace).await
}

/// Appends a command about a SKU and turns its decision into a response.
pub async fn carry_out(
    ingest: &Ingest,
    sku: &Sku,
    command: &StockCommand,
    trace: TraceParent,
) -> Result<Response, Problem> {
    let topic_partition = ingest.partition_of_sku(sku);
    let (appended, decision) =
        ingest.decide(topic_partition, EncodedCommands::of(command), Some(trace)).await?;
    let Some(Decision { cause, replayed, event }) = decision else {
        let body = json(StatusCode::ACCEPTED, &serde_json::json!({ "sku": sku }));
        return Ok(with_position(&Position::of(topic_partition, appended.first), body));
    };
    let seen = answers::seen(topic_partition, cause);
    let DecidedEvent::Stock(event) = event else { return Err(answers::unexpected("an event of an order")) };
    let mut response = answer(*event, &seen)?;
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(with_position(&seen, response))
}

fn answer(event: StockEvent, seen: &Position) -> Result<Response, Problem> {
    let (sku, levels) = match event {
        StockEvent::Received(event) | StockEvent::Adjusted(event) => (event.sku, event.levels),
        StockEvent::Repeated(event) => (event.sku, event.levels),
        StockEvent::ProductUpdated(event) => {
            let product = Product {
                sku: event.sku,
                name: Some(event.name),
                unit_price: Some(event.unit_price),
                currency: Some(event.currency),
            };
            return Ok(json(StatusCode::OK, &product));
        }
        StockEvent::Rejected(event) => return Err(answers::rejected(event, seen)),
        other => return Err(answers::unexpected(other.kind())),
    };
    Ok(json(StatusCode::OK, &StockLevels { sku, levels }))
}
