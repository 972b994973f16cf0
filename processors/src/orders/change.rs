//! Moving an order along its lifecycle, at a caller's request or because a timer ran out.

use std::{borrow::Cow, sync::Arc};

use compact_str::CompactString;
use orderflow_schemas::{
    Actor, Order, OrderEvent, Role, Status, Timestamp,
    commands::{ChangeStatus, ReleaseReason},
    events::{Change, CommandRejected, Holding, OrderChanged, RejectionCode, Ticked},
    lifecycle::{StateId, Transition, TransitionLookup},
};

use super::{
    DUE_PER_TICK_MAX, Decided, LINES_PER_TICK_MAX, Messages, OrderProcessor, Orders, packed::Active, rejected,
};
use crate::Decision;

/// The actor that moves an order, the reason, and the time.
struct TransitionRequest<'a> {
    by: &'a Actor,
    reason: Option<CompactString>,
    release: ReleaseReason,
    time: Timestamp,
}

impl OrderProcessor {
    pub(super) fn change_status(&self, state: &Orders, change: &ChangeStatus, time: Timestamp) -> Decided {
        let (active, transition) = match self.check_change(state, change) {
            Ok(found) => found,
            Err(refusal) => return Decision::event(OrderEvent::Rejected(*refusal)),
        };
        let word =
            (self.lifecycle.find(change.status.as_str()).is_none()).then(|| change.status.as_str().into());
        let reason = change.reason.clone().or(word);
        let step = TransitionRequest { by: &change.by, reason, release: ReleaseReason::Canceled, time };
        let (event, messages) = self.transition(&active, transition, step);
        Decision::sending(event, messages)
    }

    /// The order and the transition that the command asks for, or why it is refused.
    fn check_change<'a>(
        &'a self,
        state: &'a Orders,
        change: &ChangeStatus,
    ) -> Result<(Cow<'a, Active>, &'a Transition), Box<CommandRejected>> {
        let refuse =
            |code, detail: &str| Box::new(rejected("order.change_status", change.order_id, code, detail));
        let role = change.by.role;
        let is_visible =
            |order: &Order| role != Role::Customer || change.by.subject == order.customer_id.as_str();
        // Another's order is refused like one that does not exist.
        let Some(active) = state.find(change.order_id).filter(|active| is_visible(&active.order)) else {
            return Err(refuse(RejectionCode::UnknownOrder, "there is no active order with this id"));
        };
        let order = &active.order;
        if change.is_stale(order.version) {
            let refusal = refuse(RejectionCode::StaleVersion, "the order has changed since");
            return Err(Box::new(CommandRejected { version: Some(order.version), ..*refusal }));
        }
        let from = self.lifecycle.find(order.status.as_str());
        let to = self.lifecycle.resolve(change.status.as_str(), role);
        let illegal = |detail: String, allowed: Vec<Status>| {
            let refusal = refuse(RejectionCode::IllegalTransition, &detail);
            Box::new(CommandRejected { allowed: Some(allowed), ..*refusal })
        };
        if active.holding == Holding::Asked {
            return Err(illegal("the order is waiting for stock".to_owned(), Vec::new()));
        }
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
                let allowed = from.map_or(Vec::new(), |from| self.lifecycle.allowed(from, role));
                Err(illegal(
                    format!("the order cannot move from {} to {}", order.status, change.status),
                    allowed,
                ))
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
            fingerprint: None,
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
        fingerprint: None,
        reason: Some("the lifecycle no longer has a timer in this state".into()),
        by: Actor::SYSTEM,
    };
    OrderEvent::Changed(Change::Updated, changed)
}
