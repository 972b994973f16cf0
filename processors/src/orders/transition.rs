//! Carrying out transitions: what becomes of the order, and what stock is asked to do.

use std::sync::Arc;

use compact_str::CompactString;
use orderflow_schemas::{
    Actor, Order, OrderEvent, ShipmentEvent, Timestamp,
    commands::ReleaseReason,
    events::{Change, Holding, OrderChanged, UsedKey},
    lifecycle::{StateId, StockEffect, Transition},
};

use super::{Messages, OrderProcessor, packed::Active, returns};

/// The actor that moves an order, the reason, the time, and the key of the request.
pub(super) struct TransitionRequest<'a> {
    pub(super) by: &'a Actor,
    pub(super) reason: Option<CompactString>,
    pub(super) release: ReleaseReason,
    pub(super) time: Timestamp,
    pub(super) key: Option<UsedKey>,
    pub(super) shipment: Option<Box<ShipmentEvent>>,
}

impl OrderProcessor {
    /// Moves the order along the transitions, each of which begins where the one before ends, in one event. There must be
    /// at least one.
    pub(super) fn transition(
        &self,
        active: &Active,
        path: &[&Transition],
        step: TransitionRequest<'_>,
    ) -> (OrderEvent, Messages) {
        let last = path.last().expect("a transition has at least one step");
        let (mut order, mut holding) = (unmoved(active, step.time), active.holding);
        let mut messages = Messages::new();
        for transition in path {
            if transition.stock == Some(StockEffect::Return) {
                // An order of an earlier lifecycle may have come here without having been shipped.
                if holding == Holding::Shipped {
                    messages.extend(self.return_rest(&mut order));
                }
                continue;
            }
            let (after, more) = self.carry_out(transition.stock, holding, &order, step.release);
            holding = after;
            messages.extend(more);
        }
        let change = self.lifecycle.change(last);
        order.status = self.lifecycle.state(last.to).name.clone();
        if matches!(change, Change::Canceled | Change::Failed) {
            order.fail_reason = step.reason.clone();
        }
        if path.iter().any(|transition| transition.is_review) {
            (order.acted_by, order.acted_at) = (Some(step.by.subject.clone()), Some(step.time));
        }
        let changed = OrderChanged {
            due: self.due(last.to, holding, &order, step.time),
            order: Arc::new(order),
            from: Some(active.order.status.clone()),
            holding,
            key: step.key,
            reason: step.reason,
            shipment: step.shipment,
            by: step.by.clone(),
        };
        (OrderEvent::Changed(change, changed), messages)
    }

    /// Returns all units that have not come back yet.
    fn return_rest(&self, order: &mut Order) -> Messages {
        let rest = returns::rest(order);
        order.returned = returns::add(&order.returned, &rest);
        self.return_units(order, &rest)
    }

    /// When a timer moves an order that enters this state at `time`; `None` while the order waits for stock, and if the
    /// state has no timer.
    pub(super) fn due(
        &self,
        state: StateId,
        holding: Holding,
        order: &Order,
        time: Timestamp,
    ) -> Option<Timestamp> {
        if holding == Holding::Asked {
            return None;
        }
        let reserve_for = order.reserve_for.map(|seconds| std::time::Duration::from_secs(seconds.into()));
        self.lifecycle.on_time(state, reserve_for).map(|(after, _)| time.plus(after))
    }
}

/// The event of an order that becomes `order` and stays in its state. Its timer runs on.
pub(super) fn stay(active: &Active, order: Order, step: TransitionRequest<'_>) -> OrderEvent {
    let changed = OrderChanged {
        order: Arc::new(order),
        from: Some(active.order.status.clone()),
        holding: active.holding,
        due: active.due,
        key: step.key,
        reason: step.reason,
        shipment: step.shipment,
        by: step.by.clone(),
    };
    OrderEvent::Changed(Change::Updated, changed)
}

/// The next version of an order that stays in its state.
pub(super) fn unmoved(active: &Active, time: Timestamp) -> Order {
    let before = &active.order;
    Order { version: before.version + 1, updated_at: time, ..Order::clone(before) }
}
