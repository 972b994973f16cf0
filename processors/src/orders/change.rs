//! Moving an order along its lifecycle, at a caller's request or because a timer ran out.

use std::{borrow::Cow, sync::Arc};

use compact_str::CompactString;
use orderflow_schemas::{
    Actor, Order, OrderEvent, Role, Status, Timestamp,
    commands::{ChangeStatus, ReleaseReason},
    events::{Change, CommandRejected, Holding, OrderChanged, RejectionCode, Ticked, UsedKey},
    lifecycle::{StateId, Transition, TransitionLookup},
};

use super::{
    DUE_PER_TICK_MAX, Decided, LINES_PER_TICK_MAX, Messages, OrderProcessor, Orders,
    change_key::is_remembered, packed::Active, rejected,
};
use crate::Decision;

/// The detail of a refusal because there is no such order, or none that the caller may see.
const UNKNOWN: &str = "there is no active order with this id";

/// The actor that moves an order, the reason, the time, and the key of the request.
struct TransitionRequest<'a> {
    by: &'a Actor,
    reason: Option<CompactString>,
    release: ReleaseReason,
    time: Timestamp,
    key: Option<UsedKey>,
}

impl OrderProcessor {
    pub(super) fn change_status(&self, state: &Orders, change: &ChangeStatus, time: Timestamp) -> Decided {
        let active = state.find(change.order_id);
        // A repeat is for its caller only, so whether the caller may ask for the change is decided first. Another's order
        // is refused like one that does not exist.
        if active.as_ref().is_some_and(|active| is_of_another(active, &change.by)) {
            return Decision::event(OrderEvent::Rejected(refuse(
                change,
                RejectionCode::UnknownOrder,
                UNKNOWN,
            )));
        }
        let key = match self.first_use(state, change, active.as_deref(), time) {
            Ok(key) => key,
            Err(answer) => return Decision::event(*answer),
        };
        let (active, transition) = match self.check_change(active, change) {
            Ok(found) => found,
            Err(refusal) => {
                let key = key.filter(|_| is_remembered(refusal.code));
                return Decision::event(OrderEvent::Rejected(CommandRejected { key, ..*refusal }));
            }
        };
        let word =
            (self.lifecycle.find(change.status.as_str()).is_none()).then(|| change.status.as_str().into());
        let reason = change.reason.clone().or(word);
        let step = TransitionRequest { by: &change.by, reason, release: ReleaseReason::Canceled, time, key };
        let (event, messages) = self.transition(&active, transition, step);
        Decision::sending(event, messages)
    }

    /// The states that a caller in `role` may move the order to now.
    pub(super) fn allowed(&self, active: &Active, role: Role) -> Vec<Status> {
        match self.lifecycle.find(active.order.status.as_str()) {
            Some(from) if active.holding != Holding::Asked => self.lifecycle.allowed(from, role),
            _ => Vec::new(),
        }
    }

    /// The order and the transition that the command asks for, or why it is refused.
    fn check_change<'a>(
        &'a self,
        active: Option<Cow<'a, Active>>,
        change: &ChangeStatus,
    ) -> Result<(Cow<'a, Active>, &'a Transition), Box<CommandRejected>> {
        let refuse = |code, detail: &str| Box::new(refuse(change, code, detail));
        let Some(active) = active else {
            return Err(refuse(RejectionCode::UnknownOrder, UNKNOWN));
        };
        let (order, role) = (&active.order, change.by.role);
        if change.is_stale(order.version) {
            let refusal = refuse(RejectionCode::StaleVersion, "the order has changed since");
            return Err(Box::new(CommandRejected { version: Some(order.version), ..*refusal }));
        }
        let illegal = |detail: &str| {
            let refusal = refuse(RejectionCode::IllegalTransition, detail);
            Box::new(CommandRejected { allowed: Some(self.allowed(&active, role)), ..*refusal })
        };
        if active.holding == Holding::Asked {
            return Err(illegal("the order is waiting for stock"));
        }
        let from = self.lifecycle.find(order.status.as_str());
        let to = self.lifecycle.resolve(change.status.as_str(), role);
        let found = from
            .zip(to)
            .map_or(TransitionLookup::Missing, |(from, to)| self.lifecycle.transition(from, to, role));
        match found {
            TransitionLookup::Allowed(transition) => Ok((active, transition)),
            TransitionLookup::NotForRole => {
                let detail = format!(
                    "the role {} may not move the order from {} to {}",
                    role.as_str(),
                    order.status,
                    change.status
                );
                Err(refuse(RejectionCode::Forbidden, &detail))
            }
            TransitionLookup::Missing => {
                Err(illegal(&format!("the order cannot move from {} to {}", order.status, change.status)))
            }
        }
    }

    pub(super) fn tick(&self, state: &Orders, time: Timestamp) -> Decided {
        let mut decision = Decision { events: Vec::new(), messages: Vec::new() };
        let mut lines = 0;
        for (_, id) in state.due.iter().take_while(|(due, _)| *due <= time).take(DUE_PER_TICK_MAX) {
            let active = state.find(*id).expect("what is due is active");
            if lines >= LINES_PER_TICK_MAX {
                break;
            }
            lines += active.order.lines.len();
            let from = self.lifecycle.find(active.order.status.as_str());
            let Some((_, transition)) = from.and_then(|from| self.lifecycle.on_time(from)) else {
                decision.events.push(without_timer(&active, time));
                continue;
            };
            let step = TransitionRequest {
                by: &Actor::SYSTEM,
                reason: Some("expired".into()),
                release: ReleaseReason::Expired,
                time,
                key: None,
            };
            let (event, messages) = self.transition(&active, transition, step);
            decision.events.push(event);
            decision.messages.extend(messages);
        }
        if decision.events.is_empty() {
            decision.events.push(OrderEvent::Ticked(Ticked {}));
        }
        decision
    }

    fn transition(
        &self,
        active: &Active,
        transition: &Transition,
        step: TransitionRequest<'_>,
    ) -> (OrderEvent, Messages) {
        let before = &active.order;
        let (holding, messages) = self.carry_out(transition.stock, active.holding, before, step.release);
        let change = self.lifecycle.change(transition);
        let ended = matches!(change, Change::Canceled | Change::Failed);
        let order = Order {
            status: self.lifecycle.state(transition.to).name.clone(),
            version: before.version + 1,
            fail_reason: if ended { step.reason.clone() } else { before.fail_reason.clone() },
            updated_at: step.time,
            ..Order::clone(before)
        };
        let changed = OrderChanged {
            order: Arc::new(order),
            from: Some(before.status.clone()),
            holding,
            due: self.due(transition.to, holding, step.time),
            key: step.key,
            reason: step.reason,
            by: step.by.clone(),
        };
        (OrderEvent::Changed(change, changed), messages)
    }

    /// When a timer moves an order that enters this state at `time`; `None` while the order waits for stock, and if the
    /// state has no timer.
    pub(super) fn due(&self, state: StateId, holding: Holding, time: Timestamp) -> Option<Timestamp> {
        if holding == Holding::Asked {
            return None;
        }
        self.lifecycle.on_time(state).map(|(after, _)| time.plus(after))
    }
}

/// Whether the caller is a customer, and the order belongs to another one.
fn is_of_another(active: &Active, by: &Actor) -> bool {
    by.role == Role::Customer && by.subject != active.order.customer_id.as_str()
}

/// The rejection of a change.
pub(super) fn refuse(change: &ChangeStatus, code: RejectionCode, detail: &str) -> CommandRejected {
    rejected("order.change_status", change.order_id, code, detail)
}

/// The event for a due order whose state has lost its timer, because the lifecycle was changed since. The order stays
/// in its state and is no longer due. Without an event it would stay due and block all orders that are due later.
fn without_timer(active: &Active, time: Timestamp) -> OrderEvent {
    let before = &active.order;
    let order = Order { version: before.version + 1, updated_at: time, ..Order::clone(before) };
    let changed = OrderChanged {
        order: Arc::new(order),
        from: Some(before.status.clone()),
        holding: active.holding,
        due: None,
        key: None,
        reason: Some("the lifecycle no longer has a timer in this state".into()),
        by: Actor::SYSTEM,
    };
    OrderEvent::Changed(Change::Updated, changed)
}
