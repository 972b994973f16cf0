//! `PUT /orders/{id}/courier`, `POST /shipments/{order_id}/events` and `POST /orders/{id}/returns`.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use orderflow_schemas::{
    OrderCommand, OrderEvent, OrderId,
    commands::ReportShipment,
    events::{CommandRejected, RejectionCode},
};
use orderflow_web::{Action, CallKey, Caller, Id, IfMatch, Json, NoConditions, Problem};
use tracing::instrument;

use super::{
    WriteContext,
    change::{Decided, OrderChange, answer, carry_out, decide, finished},
};
use crate::{
    answers,
    requests::{CourierRequest, ReturnRequest, ShipmentRequest},
    service::Ingest,
    validate::{self, ChangeHeaders},
};

/// Names the only courier who may act for an order.
#[instrument(level = "debug", skip_all)]
pub async fn assign_courier(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(id): Id<OrderId>,
    context: WriteContext,
    IfMatch(if_match): IfMatch,
    key: CallKey,
    Json(request): Json<CourierRequest>,
) -> Result<Response, Problem> {
    let headers = ChangeHeaders { if_match, key };
    let command = validate::assign_courier(id, request, headers, &caller)?;
    let change = OrderChange {
        order_id: id,
        action: Action::AssignCourier,
        is_keyed: command.idempotency.is_some(),
        if_match: command.if_match.clone(),
        when_over: RejectionCode::IllegalTransition,
        command: OrderCommand::AssignCourier(command),
    };
    carry_out(&ingest, change, &caller, context).await
}

/// Takes back units of an order.
#[instrument(level = "debug", skip_all)]
pub async fn take_back(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(id): Id<OrderId>,
    context: WriteContext,
    IfMatch(if_match): IfMatch,
    key: CallKey,
    Json(request): Json<ReturnRequest>,
) -> Result<Response, Problem> {
    let headers = ChangeHeaders { if_match, key };
    let command = validate::take_back(id, request, headers, &caller)?;
    let change = OrderChange {
        order_id: id,
        action: Action::TakeReturns,
        is_keyed: command.idempotency.is_some(),
        if_match: command.if_match.clone(),
        when_over: RejectionCode::ReturnsClosed,
        command: OrderCommand::Return(command),
    };
    carry_out(&ingest, change, &caller, context).await
}

/// Reports an event of a shipment. For an order that is over it is kept as history.
#[instrument(level = "debug", skip_all)]
pub async fn report(
    State(ingest): State<Arc<Ingest>>,
    caller: Caller,
    Id(id): Id<OrderId>,
    context: WriteContext,
    key: CallKey,
    _: NoConditions,
    Json(request): Json<ShipmentRequest>,
) -> Result<Response, Problem> {
    let command = validate::report_shipment(id, request, key, &caller)?;
    let change = change_of(command.clone());
    let (event, seen) = match decide(&ingest, &change, context.clone()).await? {
        Decided::NotYet(response) => return Ok(response),
        Decided::Event(event, seen) => (*event, seen),
    };
    let is_unknown =
        matches!(&event, OrderEvent::Rejected(CommandRejected { code: RejectionCode::UnknownOrder, .. }));
    if !is_unknown {
        return answer(&ingest, &change, event, &caller, &seen).await;
    }
    // The processor has forgotten the order, or never had it. The store knows which, and whether the caller may report.
    finished(&ingest, &change, &caller, &seen).await?;
    record(&ingest, change_of(ReportShipment { is_over: true, ..command }), &caller, context).await
}

/// Adds a report to the history of an order that is over.
async fn record(
    ingest: &Ingest,
    change: OrderChange,
    caller: &Caller,
    context: WriteContext,
) -> Result<Response, Problem> {
    match decide(ingest, &change, context).await? {
        Decided::NotYet(response) => Ok(response),
        Decided::Event(event, seen) => match *event {
            OrderEvent::ShipmentRecorded(_) => {
                Ok(answers::changed(&finished(ingest, &change, caller, &seen).await?, &seen))
            }
            other => answer(ingest, &change, other, caller, &seen).await,
        },
    }
}

fn change_of(command: ReportShipment) -> OrderChange {
    OrderChange {
        order_id: command.order_id,
        action: Action::ReportShipment,
        // Only the decision tells whether the order is over and the report must be sent again as history.
        is_keyed: true,
        if_match: None,
        when_over: RejectionCode::UnknownOrder,
        command: OrderCommand::ReportShipment(command),
    }
}
