//! Ticks of the clock: orders whose time is up move by themselves.

use std::sync::Arc;

use orderflow_schemas::{
    Actor, OrderEvent, Timestamp,
    commands::ReleaseReason,
    events::{Change, OrderChanged, Ticked},
    lifecycle::Transition,
};

use super::{
    Decided, OrderProcessor, Orders,
    packed::Active,
    transition::{TransitionRequest, unmoved},
};
use crate::Decision;

/// The most due orders that one tick changes; the others wait for the next tick.
pub(super) const DUE_PER_TICK_MAX: usize = 64;
/// A tick takes no further due order once those it took have this many lines together. So the decision fits into one
/// append.
pub(super) const LINES_PER_TICK_MAX: usize = 1_000;

impl OrderProcessor {
    pub(super) fn tick(&self, state: &Orders, time: Timestamp) -> Decided {
        let mut decision = Decision { events: Vec::new(), messages: Vec::new() };
        let mut lines = 0;
        for (_, id) in state.due.iter().take_while(|(due, _)| *due <= time).take(DUE_PER_TICK_MAX) {
            let active = state.find(*id).expect("what is due is active");
            if lines >= LINES_PER_TICK_MAX {
                break;
            }
            lines += active.order.lines.len();
            let Some(transition) = self.timed(&active) else {
                decision.events.push(without_timer(&active, time));
                continue;
            };
            let step = TransitionRequest {
                by: &Actor::SYSTEM,
                reason: Some("expired".into()),
                release: ReleaseReason::Expired,
                time,
                key: None,
                shipment: None,
            };
            let (event, messages) = self.transition(&active, &[transition], step);
            decision.events.push(event);
            decision.messages.extend(messages);
        }
        if decision.events.is_empty() {
            decision.events.push(OrderEvent::Ticked(Ticked {}));
        }
        decision
    }

    fn timed(&self, active: &Active) -> Option<&Transition> {
        let from = self.lifecycle.find(active.order.status.as_str())?;
        self.lifecycle.on_time(from, None).map(|(_, transition)| transition)
    }
}

/// The event for a due order whose state has lost its timer, because the lifecycle was changed since. The order stays
/// in its state and is no longer due. Without an event it would stay due and block all orders that are due later.
fn without_timer(active: &Active, time: Timestamp) -> OrderEvent {
    let changed = OrderChanged {
        order: Arc::new(unmoved(active, time)),
        from: Some(active.order.status.clone()),
        holding: active.holding,
        due: None,
        key: None,
        reason: Some("the lifecycle no longer has a timer in this state".into()),
        shipment: None,
        by: Actor::SYSTEM,
    };
    OrderEvent::Changed(Change::Updated, changed)
}
