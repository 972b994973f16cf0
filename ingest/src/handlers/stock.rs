//! `POST /inventory/{sku}/receipts` and `/adjustments`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode};
use orderflow_schemas::{
    Levels, Payload, Position, Role, Sku, StockCommand, StockEvent, envelope::TraceParent,
};
use serde::Serialize;
use serde_json::json;
use tracing::instrument;

use crate::{
    answers,
    appender::Commands,
    decisions::{Decided, Decision},
    http::{Caller, Json, PathPart, Problem, Trace, with_position},
    preconditions::{IDEMPOTENT_REPLAYED, Key, NoConditions},
    requests::{AdjustmentRequest, ReceiptRequest},
    service::Ingest,
    validate,
};

/// Who keeps the stock and the catalogue.
pub const KEEPERS: [Role; 2] = [Role::Admin, Role::Service];

/// Takes stock in.
#[instrument(skip_all)]
pub async fn receive(
    State(ingest): State<Arc<Ingest>>,
    PathPart(sku): PathPart,
    caller: Caller,
    Trace(trace): Trace,
    Key(key): Key,
    _: NoConditions,
    Json(request): Json<ReceiptRequest>,
) -> Result<Response, Problem> {
    caller.require(&KEEPERS)?;
    let sku = validate::sku(&sku)?;
    let command = validate::receive(sku.clone(), &request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::Receive(command), trace).await
}

/// Corrects what is available.
#[instrument(skip_all)]
pub async fn adjust(
    State(ingest): State<Arc<Ingest>>,
    PathPart(sku): PathPart,
    caller: Caller,
    Trace(trace): Trace,
    Key(key): Key,
    _: NoConditions,
    Json(request): Json<AdjustmentRequest>,
) -> Result<Response, Problem> {
    caller.require(&KEEPERS)?;
    let sku = validate::sku(&sku)?;
    let command = validate::adjust(sku.clone(), request, key, &caller)?;
    carry_out(&ingest, &sku, &StockCommand::Adjust(command), trace).await
}

/// Appends a command about a SKU and maps what was decided.
pub async fn carry_out(
    ingest: &Ingest,
    sku: &Sku,
    command: &StockCommand,
    trace: TraceParent,
) -> Result<Response, Problem> {
    let at = ingest.partition_of_sku(sku);
    let (placed, decision) = ingest.decide(at, Commands::of(command), trace).await?;
    let Some(Decision { cause, replayed, event }) = decision else {
        let body = answers::json(StatusCode::ACCEPTED, &json!({ "sku": sku }));
        return Ok(with_position(&Position::of(at, placed.first), body));
    };
    let seen = answers::seen(at, cause);
    let Decided::Stock(event) = event else { return Err(answers::unexpected("an event of an order")) };
    let mut response = answer(*event, &seen)?;
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(with_position(&seen, response))
}

/// A SKU and its levels.
#[derive(Serialize)]
struct Stock {
    sku: Sku,
    #[serde(flatten)]
    levels: Levels,
}

fn answer(event: StockEvent, seen: &Position) -> Result<Response, Problem> {
    let (sku, levels) = match event {
        StockEvent::Received(event) | StockEvent::Adjusted(event) => (event.sku, event.levels),
        StockEvent::Repeated(event) => (event.sku, event.levels),
        StockEvent::ProductUpdated(event) => {
            let product = json!({
                "sku": event.sku,
                "name": event.name,
                "unit_price": event.unit_price,
                "currency": event.currency,
            });
            return Ok(answers::json(StatusCode::OK, &product).into_response());
        }
        StockEvent::Rejected(event) => return Err(answers::rejected(event, seen)),
        other => return Err(answers::unexpected(other.kind())),
    };
    Ok(answers::json(StatusCode::OK, &Stock { sku, levels }))
}
