//! Placing an order: once for each idempotency key. Stock is asked to reserve all lines or none.

use std::sync::Arc;

use orderflow_schemas::{
    Amount, Lines, Order, OrderEvent, OrderLine, Role, Status, Timestamp,
    commands::{PlaceOrder, Prices},
    events::{Change, Holding, OrderChanged, OrderRepeated, OrderRequested, RejectionCode},
    lifecycle::Visible,
};

use super::{Decided, OrderProcessor, Orders, rejected, state::PlacedOrder};
use crate::{
    Decision,
    keys::{self, Use},
};

impl OrderProcessor {
    pub(super) fn place(&self, state: &Orders, place: &PlaceOrder, time: Timestamp) -> Decided {
        let key = place.idempotency.as_ref().map(|key| keys::of_placing(&place.customer_id, key));
        let key = match state.keys.find(key, time) {
            Use::First(key) => key,
            Use::Repeat(first) => return repeated(state, place, *first),
            Use::Reuse => return reused(place),
        };
        if state.active.contains_key(&place.order_id) {
            let refusal = rejected(
                "order.place",
                place.order_id,
                RejectionCode::OrderExists,
                "an order with this id already exists",
            );
            return Decision::event(OrderEvent::Rejected(refusal));
        }
        let initial = self.lifecycle.initial();
        let prices = match place.by.role {
            Role::Admin | Role::Service => Prices::Set,
            _ => Prices::Expected,
        };
        let order = Arc::new(new_order(place, &self.lifecycle.state(initial).name, prices, time));
        let (holding, messages) = match self.lifecycle.initial_stock() {
            Some(_) => (Holding::Asked, self.reserve(&order, place.lines.skus(), prices)),
            None => (Holding::Nothing, Vec::new()),
        };
        if self.lifecycle.visible() == Visible::Reserved {
            let order = Arc::new(Order { version: 0, ..Order::clone(&order) });
            let requested = OrderRequested { order, key, by: place.by.clone() };
            return Decision::sending(OrderEvent::Requested(requested), messages);
        }
        let created = OrderChanged {
            due: self.due(initial, holding, &order, time),
            order,
            from: None,
            holding,
            key,
            reason: None,
            shipment: None,
            by: place.by.clone(),
        };
        Decision::sending(OrderEvent::Changed(Change::Created, created), messages)
    }
}

/// The decision on a command that repeats the one that placed the order `first`.
fn repeated(state: &Orders, place: &PlaceOrder, first: PlacedOrder) -> Decided {
    let PlacedOrder { id, declined } = first;
    let repeated = OrderRepeated { requested: place.order_id, order_id: id, order: state.get(id), declined };
    Decision::event(OrderEvent::Repeated(repeated))
}

/// The decision on a command whose key belongs to another request.
fn reused(place: &PlaceOrder) -> Decided {
    let refusal = rejected("order.place", place.order_id, RejectionCode::IdempotencyKeyReused, keys::REUSED);
    Decision::event(OrderEvent::Rejected(refusal))
}

fn new_order(place: &PlaceOrder, status: &Status, prices: Prices, time: Timestamp) -> Order {
    let lines = match (&place.lines, prices) {
        // The price that a customer expects is not yet the price of the order.
        (Lines::Skus(lines), Prices::Expected) => {
            Lines::Skus(lines.iter().map(|line| OrderLine { unit_price: None, ..line.clone() }).collect())
        }
        (lines, _) => lines.clone(),
    };
    Order {
        id: place.order_id,
        customer_id: place.customer_id.clone(),
        status: status.clone(),
        version: 1,
        currency: place.currency,
        total: if lines.items().is_empty() { total(lines.skus()) } else { None },
        lines,
        channel: place.channel.clone(),
        notes: place.notes.clone(),
        fail_reason: None,
        failures: Arc::default(),
        idempotency_key: place.idempotency.as_ref().map(|idempotency| idempotency.key.clone()),
        placed_at: place.placed_at.unwrap_or(time),
        created_at: time,
        updated_at: time,
        reserve_for: place.reserve_for,
        courier_id: None,
        acted_by: None,
        acted_at: None,
        returned: Arc::default(),
    }
}

/// The sum of the lines; `None` while a price is unknown, or if the sum is too large.
pub(super) fn total(lines: &[OrderLine]) -> Option<Amount> {
    lines.iter().try_fold(Amount(0), |sum, line| sum.plus(line.unit_price?.times(line.quantity)?))
}
