//! Validates requests about the shipment of an order: its courier, its events and its returns.

use compact_str::{CompactString, format_compact};
use orderflow_schemas::{
    IdempotencyKey, OrderId, ShipmentEvent, ShipmentStatus, Timestamp,
    commands::{AssignCourier, ReportShipment, ReturnOrder},
    limits::{LINES_MAX, QUANTITY_MAX, REASON_CHARS_MAX, SHIPMENT_CHARS_MAX, SUBJECT_CHARS_MAX},
    returns::ReturnedUnits,
};
use orderflow_web::{CallKey, Caller, Object, Problem, fields::FieldErrors, order_lines::units};

use super::ChangeHeaders;
use crate::{
    fingerprint,
    requests::{CourierRequest, ReturnLineRequest, ReturnRequest, ShipmentRequest},
};

/// The command that names the courier of an order.
pub fn assign_courier(
    order_id: OrderId,
    request: CourierRequest,
    headers: ChangeHeaders,
    caller: &Caller,
) -> Result<AssignCourier, Problem> {
    let mut errors = FieldErrors::default();
    let courier_id = request.client_id.and_then(|id| errors.not_empty("/client_id", id));
    let courier_id = errors.text("/client_id", courier_id, SUBJECT_CHARS_MAX);
    if !errors.is_empty() {
        return Err(errors.into_problem());
    }
    let ChangeHeaders { if_match, key } = headers;
    let idempotency = key.of_change(|| fingerprint::of_courier(courier_id.as_deref()));
    Ok(AssignCourier { order_id, courier_id, if_match, idempotency, by: caller.actor() })
}

/// The command that reports an event of a shipment. Without an `Idempotency-Key`, the id of the event is the key; without
/// that, its content is, if it has a time.
pub fn report_shipment(
    order_id: OrderId,
    request: ShipmentRequest,
    key: CallKey,
    caller: &Caller,
) -> Result<ReportShipment, Problem> {
    let mut errors = FieldErrors::default();
    let known: Vec<_> = ShipmentStatus::ALL.map(ShipmentStatus::as_str).into();
    let status =
        ShipmentStatus::find(&request.status).ok_or_else(|| format!("must be one of {}", known.join(", ")));
    let status = errors.note("/status", status);
    let carrier = errors.text("/carrier", request.carrier, SHIPMENT_CHARS_MAX);
    let tracking_number = errors.text("/tracking_number", request.tracking_number, SHIPMENT_CHARS_MAX);
    let location = errors.text("/location", request.location, SHIPMENT_CHARS_MAX);
    let occurred_at =
        request.occurred_at.and_then(|text| errors.note("/occurred_at", text.parse::<Timestamp>()));
    let event_id: Option<IdempotencyKey> = request.event_id.and_then(|text| errors.name("/event_id", text));
    let (Some(status), true) = (status, errors.is_empty()) else { return Err(errors.into_problem()) };
    let of_id =
        event_id.clone().map(|id| CallKey { key: Some(id), call: format_compact!("event of {}", key.call) });
    let event_id = event_id.map(|id| CompactString::from(id.as_str()));
    let event = ShipmentEvent { status, carrier, tracking_number, location, occurred_at, event_id };
    let key = match (key, of_id) {
        (key, Some(of_id)) if key.key.is_none() => of_id,
        (CallKey { key: None, call }, None) => CallKey { key: fingerprint::key_of_report(&event), call },
        (key, _) => key,
    };
    let idempotency = key.of_change(|| fingerprint::of_shipment(&event));
    Ok(ReportShipment { order_id, event, is_over: false, idempotency, by: caller.actor() })
}

/// The command that takes back units of an order.
pub fn take_back(
    order_id: OrderId,
    request: ReturnRequest,
    headers: ChangeHeaders,
    caller: &Caller,
) -> Result<ReturnOrder, Problem> {
    let mut errors = FieldErrors::default();
    let lines = returned(request.lines, &mut errors);
    let reason = errors.prose("/reason", request.reason, REASON_CHARS_MAX);
    if !errors.is_empty() {
        return Err(errors.into_problem());
    }
    let ChangeHeaders { if_match, key } = headers;
    let idempotency = key.of_change(|| fingerprint::of_return(&lines, reason.as_deref()));
    Ok(ReturnOrder { order_id, lines, reason, if_match, idempotency, by: caller.actor() })
}

fn returned(requests: Vec<Object<ReturnLineRequest>>, errors: &mut FieldErrors) -> Vec<ReturnedUnits> {
    if !(1..=LINES_MAX).contains(&requests.len()) {
        errors.add("/lines", format_args!("must have from 1 to {LINES_MAX} entries, not {}", requests.len()));
        return Vec::new();
    }
    let mut lines = Vec::with_capacity(requests.len());
    for (at, Object(request)) in requests.into_iter().enumerate() {
        let lines_max = LINES_MAX as i64;
        let line = request.line.within(1..=lines_max).and_then(|line| u32::try_from(line).ok());
        if line.is_none() {
            errors.add(format!("/lines/{at}/line"), format_args!("must be an integer from 1 to {lines_max}"));
        }
        let quantity = units(at, request.quantity, QUANTITY_MAX, errors);
        let both = line.zip(quantity);
        lines.extend(both.map(|(line, quantity)| ReturnedUnits { line, quantity, to: request.to }));
    }
    lines
}
