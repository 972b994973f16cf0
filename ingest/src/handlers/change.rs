//! What all changes of an order have in common: appending the command, waiting for the decision, and the answer.
//!
//! The processor does not know an order that is over. The answer then comes from the store, which is asked once it shows
//! the processor's decision.

use std::sync::Arc;

use axum::response::Response;
use orderflow_schemas::{
    Order, OrderCommand, OrderEvent, OrderId, Payload, Position,
    events::{CommandRejected, OrderRepeated, RejectionCode},
};
use orderflow_web::{Action, Caller, Problem};
use tracing::warn;

use super::WriteContext;
use crate::{
    answers,
    appender::EncodedCommands,
    decisions::{DecidedEvent, Decision},
    service::Ingest,
};

/// A command that changes an order, and what its answer depends on.
pub struct OrderChange {
    /// The order.
    pub order_id: OrderId,
    /// The action that the caller must be allowed to perform on the order.
    pub action: Action,
    /// Whether the command has an idempotency key.
    pub is_keyed: bool,
    /// The versions of which the order must have one.
    pub if_match: Option<Vec<u64>>,
    /// Why the change is rejected if the order is over.
    pub when_over: RejectionCode,
    /// The command.
    pub command: OrderCommand,
}

/// The decision on a change, or a response that does not wait for it.
pub enum Decided {
    /// The decision, and the position of a client that knows of it.
    Event(Box<OrderEvent>, Position),
    /// The response to a client that does not wait for the decision.
    NotYet(Response),
}

/// Appends the command of a change and turns its decision into a response.
pub async fn carry_out(
    ingest: &Ingest,
    change: OrderChange,
    caller: &Caller,
    context: WriteContext,
) -> Result<Response, Problem> {
    match decide(ingest, &change, context).await? {
        Decided::NotYet(response) => Ok(response),
        Decided::Event(event, seen) => answer(ingest, &change, *event, caller, &seen).await,
    }
}

/// Appends the command of a change and waits for its decision as long as the client prefers.
pub async fn decide(
    ingest: &Ingest,
    change: &OrderChange,
    context: WriteContext,
) -> Result<Decided, Problem> {
    let (id, prefer) = (change.order_id, context.prefer);
    let topic_partition = ingest.partition_of_order(id);
    let command = EncodedCommands::of(&change.command);
    let (appended, decision) =
        ingest.decide_as_preferred(topic_partition, command, context, change.is_keyed).await?;
    let Some(Decision { cause, event, .. }) = decision else {
        let response = answers::accepted(id, &Position::of(topic_partition, appended.first));
        let response = answers::as_preferred(response, prefer, ingest.settings.decision_timeout());
        return Ok(Decided::NotYet(response));
    };
    let DecidedEvent::Order(event) = event else { return Err(answers::unexpected("an event of stock")) };
    Ok(Decided::Event(event, answers::seen(topic_partition, cause)))
}

/// The response to the decision on a change.
pub async fn answer(
    ingest: &Ingest,
    change: &OrderChange,
    event: OrderEvent,
    caller: &Caller,
    seen: &Position,
) -> Result<Response, Problem> {
    match event {
        OrderEvent::Changed(_, event) => Ok(answers::changed(&event.order, seen)),
        OrderEvent::Repeated(event) => {
            let OrderRepeated { order, .. } = event;
            let order = match order {
                Some(order) => order,
                None => Arc::new(finished(ingest, change, caller, seen).await?),
            };
            Ok(answers::as_replayed(answers::changed(&order, seen)))
        }
        OrderEvent::Rejected(event) => Err(refused(ingest, change, event, caller, seen).await),
        other => Err(answers::unexpected(other.kind())),
    }
}

/// The problem for a change that the processor rejected.
async fn refused(
    ingest: &Ingest,
    change: &OrderChange,
    rejected: CommandRejected,
    caller: &Caller,
    seen: &Position,
) -> Problem {
    let is_unknown = rejected.code == RejectionCode::UnknownOrder;
    let is_known_key = rejected.repeated || rejected.code == RejectionCode::IdempotencyKeyReused;
    // The rejection of a key that was used before has the version of the order, unless the order is finished.
    let is_finished = is_known_key && rejected.version.is_none();
    if !is_unknown && !is_finished {
        return answers::rejected(rejected, seen);
    }
    match finished(ingest, change, caller, seen).await {
        Ok(order) if is_unknown => answers::rejected(over(&order, change, rejected), seen),
        Ok(order) => answers::rejected(over_again(&order, rejected), seen),
        Err(problem) => problem,
    }
}

/// An order that the processor no longer knows, from the store. 404 if there is none, or none that the caller may change.
pub async fn finished(
    ingest: &Ingest,
    change: &OrderChange,
    caller: &Caller,
    seen: &Position,
) -> Result<Order, Problem> {
    match ingest.lookup.order(change.order_id, seen).await {
        Ok(Some(order)) if caller.may_on(change.action, &order, &ingest.lifecycle) => Ok(order),
        Ok(_) => Err(answers::not_found(seen)),
        Err(error) => {
            warn!(%error, "a change of an order that is over cannot be answered");
            Err(Problem::unavailable(
                "store-unavailable",
                "the order is not active, and the store cannot be read",
                1,
            ))
        }
    }
}

/// The rejection of a change of a finished order.
fn over(order: &Order, change: &OrderChange, rejected: CommandRejected) -> CommandRejected {
    let version = Some(order.version);
    if change.if_match.as_ref().is_some_and(|versions| !versions.contains(&order.version)) {
        let detail = format!("the order has version {}", order.version);
        return CommandRejected { code: RejectionCode::StaleVersion, detail, version, ..rejected };
    }
    let detail = format!("the order is {}, which is final", order.status);
    let allowed = (change.when_over == RejectionCode::IllegalTransition).then(Vec::new);
    CommandRejected { code: change.when_over, detail, allowed, version, ..rejected }
}

/// The rejection of a change whose first attempt was rejected, now that the order is finished.
fn over_again(order: &Order, rejected: CommandRejected) -> CommandRejected {
    let allowed = (rejected.code == RejectionCode::IllegalTransition).then(Vec::new);
    CommandRejected { allowed, version: Some(order.version), ..rejected }
}
