//! Moving an order along its lifecycle at a caller's request, and naming its courier.

use std::borrow::Cow;

use orderflow_schemas::{
    Actor, Order, Role, Status, Timestamp,
    commands::{AssignCourier, ChangeStatus, ReleaseReason},
    events::{CommandRejected, Holding, RejectionCode},
    lifecycle::{Transition, TransitionLookup},
};

use super::{
    Decided, OrderProcessor, Orders,
    packed::Active,
    request::{Admitted, ChangeRequest, rejection},
    transition::{TransitionRequest, stay, unmoved},
};
use crate::Decision;

impl OrderProcessor {
    pub(super) fn change_status(&self, state: &Orders, change: &ChangeStatus, time: Timestamp) -> Decided {
        let request = ChangeRequest {
            kind: "order.change_status",
            order_id: change.order_id,
            by: &change.by,
            // The key of a caller whose role may not ask for the change has no effect: the answer is that without a key,
            // also if the role had the right before.
            key: change.idempotency.as_ref().filter(|_| self.may_ask(change)),
            if_match: change.if_match.as_deref(),
        };
        let Admitted { active, key } = match self.admit(state, request, time) {
            Ok(admitted) => admitted,
            Err(answer) => return Decision::event(*answer),
        };
        let (active, transition) = match self.check_change(active, request, change) {
            Ok(found) => found,
            Err(refusal) => return Decision::event(rejection(*refusal, key)),
        };
        let word =
            (self.lifecycle.find(change.status.as_str()).is_none()).then(|| change.status.as_str().into());
        let reason = change.reason.clone().or(word);
        let release = ReleaseReason::Canceled;
        let step = TransitionRequest { by: &change.by, reason, release, time, key, shipment: None };
        let (event, messages) = self.transition(&active, &[transition], step);
        Decision::sending(event, messages)
    }

    /// The states that a caller in `role` may move the order to now.
    pub(super) fn allowed(&self, active: &Active, role: Role) -> Vec<Status> {
        match self.lifecycle.find(active.order.status.as_str()) {
            Some(from) if active.holding != Holding::Asked => self.lifecycle.allowed(from, role),
            _ => Vec::new(),
        }
    }

    /// Whether the lifecycle lets the caller's role move any order to the requested state.
    fn may_ask(&self, change: &ChangeStatus) -> bool {
        let role = change.by.role;
        let to = self.lifecycle.resolve(change.status.as_str(), role);
        to.is_some_and(|to| self.lifecycle.may_enter(to, role))
    }

    /// The order and the transition that the command asks for, or why it is refused.
    fn check_change<'a>(
        &'a self,
        active: Option<Cow<'a, Active>>,
        request: ChangeRequest<'_>,
        change: &ChangeStatus,
    ) -> Result<(Cow<'a, Active>, &'a Transition), Box<CommandRejected>> {
        let active = self.check_order(active, request)?;
        let (status, role) = (&active.order.status, change.by.role);
        let from = self.lifecycle.find(status.as_str());
        let to = self.lifecycle.resolve(change.status.as_str(), role);
        let found = from
            .zip(to)
            .map_or(TransitionLookup::Missing, |(from, to)| self.lifecycle.transition(from, to, role));
        match found {
            TransitionLookup::Allowed(transition) => Ok((active, transition)),
            TransitionLookup::NotForRole => {
                let role = role.as_str();
                let detail =
                    format!("the role {role} may not move the order from {status} to {}", change.status);
                Err(Box::new(request.refuse(RejectionCode::Forbidden, detail)))
            }
            TransitionLookup::Missing => {
                let detail = format!("the order cannot move from {status} to {}", change.status);
                Err(self.illegal(&active, request, detail))
            }
        }
    }

    pub(super) fn assign_courier(&self, state: &Orders, assign: &AssignCourier, time: Timestamp) -> Decided {
        let request = ChangeRequest {
            kind: "order.assign_courier",
            order_id: assign.order_id,
            by: &assign.by,
            key: assign.idempotency.as_ref().filter(|_| is_seller(&assign.by)),
            if_match: assign.if_match.as_deref(),
        };
        let Admitted { active, key } = match self.admit(state, request, time) {
            Ok(admitted) => admitted,
            Err(answer) => return Decision::event(*answer),
        };
        let active = match check_seller(request).and_then(|()| self.check_order(active, request)) {
            Ok(active) => active,
            Err(refusal) => return Decision::event(rejection(*refusal, key)),
        };
        let order = Order { courier_id: assign.courier_id.clone(), ..unmoved(&active, time) };
        let release = ReleaseReason::Canceled;
        let step = TransitionRequest { by: &assign.by, reason: None, release, time, key, shipment: None };
        Decision::event(stay(&active, order, step))
    }
}

/// Whether the actor acts for the seller.
pub(super) fn is_seller(by: &Actor) -> bool {
    matches!(by.role, Role::Admin | Role::Service)
}

/// Refuses a request that only the seller may make.
pub(super) fn check_seller(request: ChangeRequest<'_>) -> Result<(), Box<CommandRejected>> {
    if is_seller(request.by) {
        return Ok(());
    }
    let detail = format!("the role {} may not do this", request.by.role.as_str());
    Err(Box::new(request.refuse(RejectionCode::Forbidden, detail)))
}
