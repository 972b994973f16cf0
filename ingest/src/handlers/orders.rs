//! `POST /orders`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use orderflow_schemas::{OrderCommand, OrderEvent, OrderId, Payload, Position, events::OrderRepeated};
use orderflow_web::{Caller, Json, Key, NoConditions, Problem, RespondAsync, Trace};
use tracing::{instrument, warn};
use uuid::Uuid;

use crate::{
    answers,
    appender::EncodedCommands,
    decisions::{DecidedEvent, Decision},
    requests::OrderRequest,
    service::Ingest,
    validate::{self, Owner},
};

/// Places an order and waits for its decision, unless the client asked not to wait.
#[instrument(level = "debug", skip_all)]
pub async fn place(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Trace(trace): Trace,
    Key(key): Key,
    _: NoConditions,
    RespondAsync(respond_async): RespondAsync,
    Json(request): Json<OrderRequest>,
) -> Result<Response, Problem> {
    let owner = Owner::of(&caller)?;
    let command = validate::place(request, key, &owner, &caller, Uuid::now_v7())?;
    let (id, keyed) = (command.order_id, command.idempotency.is_some());
    let topic_partition = ingest.partition_of_order(id);
    let command = EncodedCommands::of(&OrderCommand::Place(command));
    // With a key, the order may be one that was placed before, and only the decision tells which.
    if respond_async && !keyed {
        let appended = ingest.append(topic_partition, command, Some(trace)).await?;
        return Ok(answers::as_preferred(answers::accepted(
            id,
            &Position::of(topic_partition, appended.first),
        )));
    }
    let (appended, decision) = ingest.decide(topic_partition, command, Some(trace)).await?;
    match decision {
        None => Ok(answers::accepted(id, &Position::of(topic_partition, appended.first))),
        Some(decision) if respond_async => {
            let seen = answers::seen(topic_partition, decision.cause);
            which(decision, &seen).map(answers::as_preferred)
        }
        Some(Decision { cause, replayed, event }) => {
            answer(&ingest, event, replayed, &answers::seen(topic_partition, cause)).await
        }
    }
}

/// 202 with the id of the order that the key belongs to.
fn which(decision: Decision, seen: &Position) -> Result<Response, Problem> {
    let DecidedEvent::Order(event) = decision.event else {
        return Err(answers::unexpected("an event of stock"));
    };
    match *event {
        OrderEvent::Changed(_, event) if decision.replayed => Ok(elsewhere(event.order.id, seen)),
        OrderEvent::Changed(_, event) => Ok(answers::accepted(event.order.id, seen)),
        OrderEvent::Repeated(event) => Ok(elsewhere(event.order_id, seen)),
        OrderEvent::Rejected(event) => Err(answers::rejected(event, seen)),
        other => Err(answers::unexpected(other.kind())),
    }
}

async fn answer(
    ingest: &Ingest,
    event: DecidedEvent,
    replayed: bool,
    seen: &Position,
) -> Result<Response, Problem> {
    let DecidedEvent::Order(event) = event else { return Err(answers::unexpected("an event of stock")) };
    match *event {
        OrderEvent::Changed(_, event) => Ok(answers::placed(&event.order, replayed, seen, &ingest.lifecycle)),
        OrderEvent::Repeated(event) => repeated(ingest, event, seen).await,
        OrderEvent::Rejected(event) => Err(answers::rejected(event, seen)),
        other => Err(answers::unexpected(other.kind())),
    }
}

/// The response to a repeat: the same as the first time. The order is read from the store if it is finished.
async fn repeated(ingest: &Ingest, event: OrderRepeated, seen: &Position) -> Result<Response, Problem> {
    if let Some(order) = &event.order {
        return Ok(answers::placed(order, true, seen, &ingest.lifecycle));
    }
    match ingest.lookup.order(event.order_id, seen).await {
        Ok(Some(order)) => Ok(answers::placed(&order, true, seen, &ingest.lifecycle)),
        Ok(None) => Ok(elsewhere(event.order_id, seen)),
        Err(error) => {
            warn!(%error, "a repeated order is answered without what became of it");
            Ok(elsewhere(event.order_id, seen))
        }
    }
}

/// 202: the order was placed before, and only its id is known now.
fn elsewhere(id: OrderId, seen: &Position) -> Response {
    answers::as_replayed(answers::accepted(id, seen))
}
