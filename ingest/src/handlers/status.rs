//! `PATCH /orders/{id}/status` and the calls that are names for certain changes: cancel, approve, reject, `DELETE`.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    response::Response,
};
use orderflow_schemas::{
    Order, OrderCommand, OrderEvent, OrderId, Payload, Position,
    commands::ChangeStatus,
    events::{CommandRejected, RejectionCode},
};
use orderflow_web::{
    Action, CallKey, Caller, Id, IfMatch, Json, OptionalJson, Problem,
    openapi::{Describe, Operation},
};
use tracing::{instrument, warn};

use super::WriteContext;
use crate::{
    answers,
    appender::EncodedCommands,
    decisions::{DecidedEvent, Decision},
    requests::{ActionRequest, StatusRequest},
    service::Ingest,
    validate::{self, ChangeHeaders},
};

/// Moves an order to the state that the body names.
#[instrument(level = "debug", skip_all)]
pub async fn change(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(id): Id<OrderId>,
    context: WriteContext,
    IfMatch(if_match): IfMatch,
    key: CallKey,
    Json(request): Json<StatusRequest>,
) -> Result<Response, Problem> {
    let headers = ChangeHeaders { if_match, key };
    let command = validate::change_status(id, request, headers, &caller, &ingest.lifecycle)?;
    carry_out(&ingest, command, &caller, context).await
}

/// Cancels an order.
#[instrument(level = "debug", skip_all)]
pub async fn cancel(call: ActionCall) -> Result<Response, Problem> {
    call.perform("cancel").await
}

/// Approves an order.
#[instrument(level = "debug", skip_all)]
pub async fn approve(call: ActionCall) -> Result<Response, Problem> {
    call.perform("approve").await
}

/// Rejects an order.
#[instrument(level = "debug", skip_all)]
pub async fn reject(call: ActionCall) -> Result<Response, Problem> {
    call.perform("reject").await
}

/// What every action on an order extracts from its request.
pub struct ActionCall {
    ingest: Arc<Ingest>,
    id: OrderId,
    caller: Caller,
    context: WriteContext,
    headers: ChangeHeaders,
    request: ActionRequest,
}

impl FromRequest<Arc<Ingest>> for ActionCall {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<Ingest>) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, state).await?;
        let Id(id) = Id::from_request_parts(&mut parts, state).await?;
        let context = WriteContext::from_request_parts(&mut parts, state).await?;
        let key = CallKey::from_request_parts(&mut parts, state).await?;
        let IfMatch(if_match) = IfMatch::from_request_parts(&mut parts, state).await?;
        let request = Request::from_parts(parts, body);
        let OptionalJson(request) = OptionalJson::from_request(request, state).await?;
        let (ingest, request) = (Arc::clone(state), request.unwrap_or_default());
        Ok(Self { ingest, id, caller, context, headers: ChangeHeaders { if_match, key }, request })
    }
}

impl Describe for ActionCall {
    fn describe(operation: &mut Operation<'_>) {
        <(Id<OrderId>, WriteContext)>::describe(operation);
        <(CallKey, IfMatch)>::describe(operation);
        OptionalJson::<ActionRequest>::describe(operation);
    }
}

impl ActionCall {
    async fn perform(self, action: &str) -> Result<Response, Problem> {
        let Self { ingest, id, caller, context, headers, request } = self;
        let command = validate::perform(id, action, request, headers, &caller, &ingest.lifecycle)?;
        carry_out(&ingest, command, &caller, context).await
    }
}

async fn carry_out(
    ingest: &Ingest,
    command: ChangeStatus,
    caller: &Caller,
    context: WriteContext,
) -> Result<Response, Problem> {
    let id = command.order_id;
    let topic_partition = ingest.partition_of_order(id);
    let prefer = context.prefer;
    let (appended, decision) = ingest
        .decide_as_preferred(
            topic_partition,
            EncodedCommands::of(&OrderCommand::ChangeStatus(command.clone())),
            context,
            command.idempotency.is_some(),
        )
        .await?;
    let Some(Decision { cause, event, .. }) = decision else {
        let response = answers::accepted(id, &Position::of(topic_partition, appended.first));
        return Ok(answers::as_preferred(response, prefer, ingest.settings.decision_timeout()));
    };
    let seen = answers::seen(topic_partition, cause);
    let DecidedEvent::Order(event) = event else { return Err(answers::unexpected("an event of stock")) };
    match *event {
        OrderEvent::Changed(_, event) => Ok(answers::changed(&event.order, &seen)),
        OrderEvent::Repeated(event) => {
            let order = match event.order {
                Some(order) => order,
                None => Arc::new(finished(ingest, id, caller, &seen).await?),
            };
            Ok(answers::as_replayed(answers::changed(&order, &seen)))
        }
        OrderEvent::Rejected(event) => Err(refused(ingest, &command, event, caller, &seen).await),
        other => Err(answers::unexpected(other.kind())),
    }
}

/// The problem for a change that the processor rejected. It does not know an order that is finished: the store does.
async fn refused(
    ingest: &Ingest,
    change: &ChangeStatus,
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
    match finished(ingest, change.order_id, caller, seen).await {
        Ok(order) if is_unknown => answers::rejected(over(&order, change, rejected), seen),
        Ok(order) => answers::rejected(over_again(&order, rejected), seen),
        Err(problem) => problem,
    }
}

/// An order that the processor no longer knows, from the store. 404 if there is none, or none that the caller may move.
async fn finished(ingest: &Ingest, id: OrderId, caller: &Caller, seen: &Position) -> Result<Order, Problem> {
    match ingest.lookup.order(id, seen).await {
        Ok(Some(order)) if caller.may_on(Action::MoveOrder, &order.customer_id) => Ok(order),
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
fn over(order: &Order, change: &ChangeStatus, rejected: CommandRejected) -> CommandRejected {
    let stale = change.is_stale(order.version);
    let code = if stale { RejectionCode::StaleVersion } else { RejectionCode::IllegalTransition };
    let detail = match stale {
        true => format!("the order has version {}", order.version),
        false => format!("the order is {}, which is final", order.status),
    };
    let allowed = (!stale).then(Vec::new);
    CommandRejected { code, detail, allowed, version: Some(order.version), ..rejected }
}

/// The rejection of a change whose first attempt was rejected, now that the order is finished.
fn over_again(order: &Order, rejected: CommandRejected) -> CommandRejected {
    let allowed = (rejected.code == RejectionCode::IllegalTransition).then(Vec::new);
    CommandRejected { allowed, version: Some(order.version), ..rejected }
}
