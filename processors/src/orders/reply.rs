//! Replies of stock: the order is reserved once all partitions hold their lines, and fails if one refuses.
//!
//! An order waits for the replies of all partitions that it asked, even after a refusal. So it can name everything that
//! was short, and it releases nothing before it is held.

use std::sync::Arc;

use orderflow_schemas::{
    Actor, Amount, Order, OrderEvent, OrderLine, Partition, StockCommand, Timestamp,
    commands::{Release, ReleaseReason, ReservationOutcome, StockReply},
    events::{Change, Holding, OrderChanged, OrderDeclined, RejectionCode},
    lifecycle::Transition,
    order::{Failure, FailureCode},
};

use super::{Decided, Messages, OrderProcessor, Orders, packed::Active, place::total, rejected};
use crate::{Decision, keys};

type Replies<'a> = Vec<(Partition, &'a ReservationOutcome)>;

impl OrderProcessor {
    pub(super) fn stock_reply(&self, state: &Orders, reply: &StockReply, time: Timestamp) -> Decided {
        let unexpected = || {
            let detail = "the order is not waiting for a reply from this stock partition";
            let refusal = rejected("stock.reply", reply.order_id, RejectionCode::UnexpectedReply, detail);
            Decision::event(OrderEvent::Rejected(refusal))
        };
        let Some(active) = state.find(reply.order_id).filter(|active| active.holding == Holding::Asked)
        else {
            return unexpected();
        };
        let asked = self.stock_partitions_of(active.order.lines.skus());
        let answered = active.replies.iter().any(|(partition, _)| *partition == reply.partition);
        if answered || !asked.contains(&reply.partition) {
            return unexpected();
        }
        if active.replies.len() + 1 < asked.len() {
            return Decision::event(OrderEvent::StockReplied(reply.clone()));
        }
        let mut replies: Replies<'_> = active.replies.iter().map(|(at, outcome)| (*at, outcome)).collect();
        replies.push((reply.partition, &reply.outcome));
        self.all_replied(&active, &replies, time).unwrap_or_else(unexpected)
    }

    /// The decision on the last reply; `None` if the lifecycle has no transition for it, which its check rules out.
    fn all_replied(&self, active: &Active, replies: &Replies<'_>, time: Timestamp) -> Option<Decided> {
        let from = self.lifecycle.find(active.order.status.as_str())?;
        let mut failures = failures(&active.order, replies);
        let lines = if failures.is_empty() { self.priced(active.order.lines.skus(), replies) } else { None };
        if let Some(lines) = &lines
            && total(lines).is_none()
        {
            failures = too_large(lines);
        }
        let Some(lines) = lines.filter(|_| failures.is_empty()) else {
            if active.requested_by.is_some() {
                return Some(declined(active, failures, replies));
            }
            let transition = self.lifecycle.on_reply(from, false)?;
            return Some(self.failed(active, transition, failures, replies, time));
        };
        // The failures of an earlier attempt no longer apply.
        let order = Order {
            total: total(&lines),
            lines: lines.into(),
            fail_reason: None,
            failures: Arc::default(),
            ..Order::clone(&active.order)
        };
        if let Some(by) = &active.requested_by {
            let due = self.due(from, Holding::Held, &order, time);
            return Some(Decision::event(created(order, due, by, time)));
        }
        let transition = self.lifecycle.on_reply(from, true)?;
        let (holding, messages) =
            self.carry_out(transition.stock, Holding::Held, &order, ReleaseReason::Canceled);
        Some(self.replied(order, transition, holding, messages, time))
    }

    fn failed(
        &self,
        active: &Active,
        transition: &Transition,
        failures: Vec<Failure>,
        replies: &Replies<'_>,
        time: Timestamp,
    ) -> Decided {
        let mut messages = release_held(active, replies);
        let order = Order {
            fail_reason: Some(code_of(&failures).as_str().into()),
            failures: failures.into(),
            ..Order::clone(&active.order)
        };
        let (holding, more) =
            self.carry_out(transition.stock, Holding::Nothing, &order, ReleaseReason::Failed);
        messages.extend(more);
        self.replied(order, transition, holding, messages, time)
    }

    fn replied(
        &self,
        order: Order,
        transition: &Transition,
        holding: Holding,
        messages: Messages,
        time: Timestamp,
    ) -> Decided {
        let from = order.status.clone();
        let order = Order {
            status: self.lifecycle.state(transition.to).name.clone(),
            version: order.version + 1,
            updated_at: time,
            ..order
        };
        let changed = OrderChanged {
            reason: order.fail_reason.clone(),
            due: self.due(transition.to, holding, &order, time),
            order: Arc::new(order),
            from: Some(from),
            holding,
            key: None,
            shipment: None,
            by: Actor::SYSTEM,
        };
        Decision::sending(OrderEvent::Changed(self.lifecycle.change(transition), changed), messages)
    }

    /// The lines with the prices that stock decided; `None` if the replies do not have one price for each line.
    fn priced(&self, lines: &[OrderLine], replies: &Replies<'_>) -> Option<Vec<OrderLine>> {
        let mut order: Vec<usize> = (0..lines.len()).collect();
        // The order in which the lines were sent to stock: see `OrderProcessor::reserve`.
        order.sort_by(|a, b| {
            let key = |at: usize| (self.stock_partition(&lines[at]), &lines[at].sku);
            key(*a).cmp(&key(*b))
        });
        let mut sorted: Vec<_> = replies.iter().collect();
        sorted.sort_by_key(|(partition, _)| *partition);
        let prices: Vec<Amount> = sorted
            .into_iter()
            .flat_map(|(_, outcome)| match outcome {
                ReservationOutcome::Held(prices) => prices.as_slice(),
                ReservationOutcome::Refused(_) => &[],
            })
            .copied()
            .collect();
        if prices.len() != lines.len() {
            return None;
        }
        let mut priced = lines.to_vec();
        for (at, price) in order.into_iter().zip(prices) {
            priced[at].unit_price = Some(price);
        }
        Some(priced)
    }
}

/// The event that creates an order that was requested before, now that stock holds all its lines.
fn created(order: Order, due: Option<Timestamp>, by: &Actor, time: Timestamp) -> OrderEvent {
    let order = Order { version: 1, updated_at: time, ..order };
    let changed = OrderChanged {
        order: Arc::new(order),
        from: None,
        holding: Holding::Held,
        due,
        key: None,
        reason: None,
        shipment: None,
        by: by.clone(),
    };
    OrderEvent::Changed(Change::Created, changed)
}

/// The decision that an order that was requested is never created.
fn declined(active: &Active, failures: Vec<Failure>, replies: &Replies<'_>) -> Decided {
    let order = &active.order;
    let key = order.idempotency_key.as_ref();
    let declined = OrderDeclined {
        order_id: order.id,
        code: code_of(&failures),
        failures,
        key: key.map(|key| keys::digest_of_placing(&order.customer_id, key)),
    };
    Decision::sending(OrderEvent::Declined(declined), release_held(active, replies))
}

/// The code that stands for all failures.
fn code_of(failures: &[Failure]) -> FailureCode {
    failures.iter().map(|failure| failure.problem).min().unwrap_or(FailureCode::OutOfStock)
}

/// One `stock.release` to each stock partition that holds its lines, in ascending order.
fn release_held(active: &Active, replies: &Replies<'_>) -> Messages {
    let order_id = active.order.id;
    let release =
        |partition| (partition, StockCommand::Release(Release { order_id, reason: ReleaseReason::Failed }));
    let held = replies.iter().filter(|(_, outcome)| matches!(outcome, ReservationOutcome::Held(_)));
    let mut messages: Messages = held.map(|(partition, _)| release(*partition)).collect();
    messages.sort_by_key(|(partition, _)| *partition);
    messages
}

/// All failures of all replies, in the order of the order's lines.
fn failures(order: &Order, replies: &Replies<'_>) -> Vec<Failure> {
    let mut failures: Vec<Failure> = replies
        .iter()
        .flat_map(|(_, outcome)| match outcome {
            ReservationOutcome::Refused(failures) => failures.as_slice(),
            ReservationOutcome::Held(_) => &[],
        })
        .cloned()
        .collect();
    failures.sort_by_key(|failure| order.lines.skus().iter().position(|line| line.sku == failure.sku));
    failures
}

/// The failure for a total that exceeds the largest one. The most expensive line stands for the whole order.
fn too_large(lines: &[OrderLine]) -> Vec<Failure> {
    let worst = lines
        .iter()
        .max_by_key(|line| u128::from(line.unit_price.unwrap_or_default().0) * u128::from(line.quantity));
    let failure = |line: &OrderLine| Failure {
        sku: line.sku.clone(),
        problem: FailureCode::TotalTooLarge,
        requested: line.quantity,
        available: u64::from(line.quantity),
        unit_price: line.unit_price,
        currency: None,
    };
    worst.map(failure).into_iter().collect()
}
