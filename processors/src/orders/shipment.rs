//! Events of shipments. The lifecycle maps them to states; what maps to no state, or comes too late to move the order, is
//! history.
//!
//! Reports can be repeated, lost and late. A repeat is recognised by its key. A report implies those that must have come
//! before ([`ShipmentStatus::with_earlier`]): one that says `delivered` also ships an order that nobody reported as picked
//! up. Late reports find no transition back, so they only add to the history.
//!
//! [`ShipmentStatus::with_earlier`]: orderflow_schemas::ShipmentStatus::with_earlier

use orderflow_schemas::{
    OrderEvent, Role, ShipmentStatus, Timestamp,
    commands::{ReleaseReason, ReportShipment},
    events::{ShipmentRecorded, UsedKey},
    lifecycle::{StateId, StockEffect, Transition, TransitionLookup},
};

use super::{
    Decided, OrderProcessor, Orders,
    packed::Active,
    request::{Admitted, ChangeRequest, rejection},
    transition::{TransitionRequest, stay, unmoved},
};
use crate::Decision;

impl OrderProcessor {
    pub(super) fn report_shipment(
        &self,
        state: &Orders,
        report: &ReportShipment,
        time: Timestamp,
    ) -> Decided {
        let may = matches!(report.by.role, Role::Courier | Role::Admin | Role::Service);
        let request = ChangeRequest {
            kind: "order.report_shipment",
            order_id: report.order_id,
            by: &report.by,
            key: report.idempotency.as_ref().filter(|_| may),
            if_match: None,
        };
        let Admitted { active, key } = match self.admit(state, request, time) {
            Ok(admitted) => admitted,
            Err(answer) => return Decision::event(*answer),
        };
        // An order that waits to be created is not over, though no reader sees it.
        if !state.active.contains_key(&report.order_id) && report.is_over && may {
            return Decision::event(OrderEvent::ShipmentRecorded(recorded(report, key)));
        }
        let active = match self.check_order(active, request) {
            Ok(active) if may => active,
            Ok(_) => return Decision::event(OrderEvent::Rejected(request.unknown())),
            Err(refusal) => return Decision::event(rejection(*refusal, key)),
        };
        self.reported(&active, report, key, time)
    }

    fn reported(
        &self,
        active: &Active,
        report: &ReportShipment,
        key: Option<UsedKey>,
        time: Timestamp,
    ) -> Decided {
        let status = report.event.status;
        let path = self.shipment_path(active, status, report.by.role);
        let reason = Some(status.as_str().into());
        let shipment = Some(Box::new(report.event.clone()));
        let release = ReleaseReason::Canceled;
        let step = TransitionRequest { by: &report.by, reason, release, time, key, shipment };
        if path.is_empty() {
            return Decision::event(stay(active, unmoved(active, time), step));
        }
        let (event, messages) = self.transition(active, &path, step);
        Decision::sending(event, messages)
    }

    /// The transitions that the report means, through the states that the reports before it would have led to. Empty if
    /// its state cannot be reached so, or is the order's already.
    fn shipment_path(&self, active: &Active, status: ShipmentStatus, role: Role) -> Vec<&Transition> {
        let mut path: Vec<&Transition> = Vec::new();
        let words = status.with_earlier();
        // A report that means no state itself still means those before it.
        let target = words.iter().rev().find_map(|word| self.lifecycle.on_shipment(*word));
        let Some((mut at, target)) = self.lifecycle.find(active.order.status.as_str()).zip(target) else {
            return path;
        };
        for (to, is_own) in self.states_from(at, words) {
            // Of reports that mean the state that the order is in, only the one that was made may be a change.
            if to == at && (!is_own || !path.is_empty()) {
                continue;
            }
            // While stock is asked, only its replies move the order.
            if path.last().is_some_and(|last| last.stock == Some(StockEffect::Reserve)) {
                break;
            }
            if let TransitionLookup::Allowed(transition) = self.lifecycle.transition(at, to, role) {
                path.push(transition);
                at = to;
            }
        }
        // What a report only implies ships an order, and does not move one that is further on.
        let is_implied = self.lifecycle.on_shipment(status).is_none();
        let ships = path.iter().any(|transition| transition.stock == Some(StockEffect::Ship));
        if at == target && (ships || !is_implied) { path } else { Vec::new() }
    }

    /// The states that these words mean, from the last word on that means the order's state, and whether the word is the
    /// last.
    fn states_from(&self, at: StateId, words: &[ShipmentStatus]) -> Vec<(StateId, bool)> {
        let last = words.len() - 1;
        let means =
            |(nth, word): (usize, &ShipmentStatus)| Some((self.lifecycle.on_shipment(*word)?, nth == last));
        let states: Vec<_> = words.iter().enumerate().filter_map(means).collect();
        let first = states.iter().rposition(|(state, _)| *state == at).unwrap_or(0);
        states[first..].to_vec()
    }
}

fn recorded(report: &ReportShipment, key: Option<UsedKey>) -> ShipmentRecorded {
    ShipmentRecorded { order_id: report.order_id, shipment: report.event.clone(), key, by: report.by.clone() }
}
