//! `PATCH /orders/{id}/status` and the calls that are names for certain changes: cancel, approve, reject, `DELETE`.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Request, State},
    response::Response,
};
use orderflow_schemas::{OrderCommand, OrderId, commands::ChangeStatus, events::RejectionCode};
use orderflow_web::{
    Action, CallKey, Caller, Id, IfMatch, Json, OptionalJson, Problem,
    openapi::{Describe, Operation},
};
use tracing::instrument;

use super::{
    WriteContext,
    change::{OrderChange, carry_out},
};
use crate::{
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
    carry_out(&ingest, change_of(command), &caller, context).await
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
        carry_out(&ingest, change_of(command), &caller, context).await
    }
}

fn change_of(command: ChangeStatus) -> OrderChange {
    OrderChange {
        order_id: command.order_id,
        action: Action::MoveOrder,
        is_keyed: command.idempotency.is_some(),
        if_match: command.if_match.clone(),
        when_over: RejectionCode::IllegalTransition,
        command: OrderCommand::ChangeStatus(command),
    }
}
