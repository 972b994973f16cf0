//! `POST /orders`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use orderflow_schemas::{OrderCommand, OrderEvent, OrderId, Payload, Position, events::OrderRepeated};
use orderflow_web::{Caller, Json, Key, NoConditions, Problem};
use tracing::{instrument, warn};
use uuid::Uuid;

use super::WriteContext;
use crate::{
    answers,
    appender::EncodedCommands,
    decisions::{DecidedEvent, Decision},
    requests::OrderRequest,
    service::Ingest,
    validate::{self, Owner},
};

/// Places an order and waits for its decision as long as the client prefers.
#[instrument(level = "debug", skip_all)]
pub async fn place(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    context: WriteContext,
    Key(key): Key,
    _: NoConditions,
    Json(request): Json<OrderRequest>,
) -> Result<Response, Problem> {
    let owner = Owner::of(&caller)?;
    let command = validate::place(request, key, &owner, &caller, Uuid::now_v7(), &ingest.lifecycle)?;
    let (id, keyed) = (command.order_id, command.idempotency.is_some());
    let topic_partition = ingest.partition_of_order(id);
    let command = EncodedCommands::of(&OrderCommand::Place(command));
    let prefer = context.prefer;
    let as_preferred = |response| answers::as_preferred(response, prefer, ingest.settings.decision_timeout());
    let (appended, decision) = ingest.decide_as_preferred(topic_partition, command, context, keyed).await?;
    match decision {
        None => Ok(as_preferred(answers::accepted(id, &Position::of(topic_partition, appended.first)))),
        // With a key, the order may be one that was placed before, and only the decision tells which.
        Some(decision) if prefer.is_immediate() => {
            let seen = answers::seen(topic_partition, decision.cause);
            which(decision, &seen).map(as_preferred)
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
        OrderEvent::Declined(event) => {
            Err(answers::declined(event.code, &event.failures, decision.replayed, seen))
        }
        OrderEvent::Repeated(OrderRepeated { declined: Some(code), .. }) => {
            Err(answers::declined(code, &[], true, seen))
        }
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
        OrderEvent::Declined(event) => Err(answers::declined(event.code, &event.failures, replayed, seen)),
        OrderEvent::Repeated(event) => repeated(ingest, event, seen).await,
        OrderEvent::Rejected(event) => Err(answers::rejected(event, seen)),
        other => Err(answers::unexpected(other.kind())),
    }
}

/// The response to a repeat: the same as the first time. The order is read from the store if it is finished.
async fn repeated(ingest: &Ingest, event: OrderRepeated, seen: &Position) -> Result<Response, Problem> {
    if let Some(code) = event.declined {
        return Err(answers::declined(code, &[], true, seen));
    }
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
