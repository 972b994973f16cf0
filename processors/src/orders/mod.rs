//! The order processor: runs the lifecycle, and reserves stock for all lines of an order or for none.
//!
//! One instance owns one partition of `orders.commands`. Placing an order sends one request to each stock partition
//! concerned. When all have replied, the order is reserved. If one refused, the order fails with everything that was
//! short, and what the others hold is released. In a lifecycle with `visible = "reserved"` such an order is never created.
//! An order in a final state leaves memory, so memory grows with active orders and not with history.

mod change;
mod evolve;
mod packed;
mod place;
mod reply;
mod request;
mod returns;
mod shipment;
mod state;
mod stored_order;
#[cfg(test)]
mod tests;
mod timer;
mod transition;

use std::sync::Arc;

use orderflow_schemas::{
    Lifecycle, Order, OrderCommand, OrderEvent, OrderId, Partition, RoutingHash, StockCommand, Timestamp,
    Topic,
    commands::{Prices, Release, ReleaseReason, Reserve, Ship},
    events::{CommandRejected, Holding, RejectionCode},
    lifecycle::{StockEffect, Visible},
    lines::OrderLine,
};
use packed::Summary;
pub use state::Orders;

use crate::{Decision, Processor};

/// The order processor, with its configuration.
#[derive(Clone, Debug)]
pub struct OrderProcessor {
    /// The states of an order and the transitions between them.
    pub lifecycle: Arc<Lifecycle>,
    /// The number of partitions of `stock.commands`.
    pub stock_partitions: u16,
    /// The most idempotency keys of placed orders that a partition remembers.
    pub keys_max: usize,
    /// The most idempotency keys of changes that a partition remembers.
    pub change_keys_max: usize,
}

type Decided = Decision<OrderEvent, StockCommand>;

impl Processor for OrderProcessor {
    type Command = OrderCommand;
    type Event = OrderEvent;
    type Message = StockCommand;
    type State = Orders;

    const INPUT: Topic = Topic::OrdersCommands;
    const EVENTS: Topic = Topic::OrdersEvents;
    const MESSAGES: Topic = Topic::StockCommands;

    fn decide(&self, state: &Orders, command: &OrderCommand, time: Timestamp) -> Decided {
        match command {
            OrderCommand::Place(place) => self.place(state, place, time),
            OrderCommand::ChangeStatus(change) => self.change_status(state, change, time),
            OrderCommand::AssignCourier(assign) => self.assign_courier(state, assign, time),
            OrderCommand::ReportShipment(report) => self.report_shipment(state, report, time),
            OrderCommand::Return(command) => self.take_back(state, command, time),
            OrderCommand::StockReply(reply) => self.stock_reply(state, reply, time),
            OrderCommand::Tick(_) => self.tick(state, time),
        }
    }

    fn evolve(&self, state: &mut Orders, event: &OrderEvent, time: Timestamp) {
        self.fold(state, event, time);
    }

    fn unreadable(&self, refusal: CommandRejected) -> OrderEvent {
        OrderEvent::Rejected(refusal)
    }

    fn next_due(&self, state: &Orders) -> Option<Timestamp> {
        state.due.first().map(|(time, _)| *time)
    }

    fn incompatibility(&self, state: &Orders) -> Option<String> {
        // There are few pairs of status and holding, with many orders each.
        let mut sound = None;
        for (id, order) in &state.active {
            let summary = order.summary();
            if sound == Some(summary) {
                continue;
            }
            if let Some(why) = self.dead_end(summary) {
                return Some(format!("lifecycle `{}` {why}, which order {id} is in", self.lifecycle.name));
            }
            sound = Some(summary);
        }
        None
    }

    fn gauges(&self, state: &Orders) -> Vec<(&'static str, u64)> {
        vec![
            ("active_orders", state.active.len() as u64),
            ("idempotency_keys", state.keys.len() as u64),
            ("idempotency_keys_crowded_out", state.keys.crowded_out),
            ("change_keys", state.change_keys.len() as u64),
            ("change_keys_crowded_out", state.change_keys.crowded_out),
        ]
    }
}

impl OrderProcessor {
    /// Why an order with this status and stock reservation could never move on, if so.
    fn dead_end(&self, Summary { status, holding, is_visible }: Summary<'_>) -> Option<String> {
        let Some(id) = self.lifecycle.find(status) else {
            return Some(format!("has no state `{status}`"));
        };
        if self.lifecycle.state(id).outcome.is_some() {
            return Some(format!("treats the state `{status}` as final"));
        }
        if !is_visible && (self.lifecycle.visible(), id) != (Visible::Reserved, self.lifecycle.initial()) {
            return Some(format!("creates no orders in the state `{status}` once they are reserved"));
        }
        let goes_on = |held| self.lifecycle.on_reply(id, held).is_some();
        let waits = is_visible && holding == Holding::Asked && !(goes_on(true) && goes_on(false));
        waits.then(|| format!("expects no reply from stock in the state `{status}`"))
    }

    /// The stock partition that counts the units of this line.
    fn stock_partition(&self, line: &OrderLine) -> Partition {
        RoutingHash::of(line.sku.as_str()).partition(self.stock_partitions)
    }

    /// The stock partitions that count the units of these lines, in ascending order.
    fn stock_partitions_of(&self, lines: &[OrderLine]) -> Vec<Partition> {
        let mut partitions: Vec<_> = lines.iter().map(|line| self.stock_partition(line)).collect();
        partitions.sort_unstable();
        partitions.dedup();
        partitions
    }

    /// One `stock.reserve` to each stock partition concerned, in ascending order.
    fn reserve(&self, order: &Order, lines: &[OrderLine], prices: Prices) -> Messages {
        let Some(currency) = order.currency else { return Messages::new() };
        let mut asked = Messages::new();
        let mut sorted: Vec<(Partition, &OrderLine)> =
            lines.iter().map(|line| (self.stock_partition(line), line)).collect();
        // The sort is stable: lines of one SKU become adjacent, and otherwise keep their order.
        sorted.sort_by(|(a, x), (b, y)| a.cmp(b).then_with(|| x.sku.cmp(&y.sku)));
        for (partition, line) in sorted {
            if let Some((last, StockCommand::Reserve(reserve))) = asked.last_mut()
                && *last == partition
            {
                reserve.lines.push(line.clone());
                continue;
            }
            let lines = vec![line.clone()];
            let reserve = Reserve { order_id: order.id, currency, prices, lines };
            asked.push((partition, StockCommand::Reserve(reserve)));
        }
        asked
    }

    /// The state of the stock reservation after `effect`, and the messages that carry the effect out.
    fn carry_out(
        &self,
        effect: Option<StockEffect>,
        before: Holding,
        order: &Order,
        why: ReleaseReason,
    ) -> (Holding, Messages) {
        let (order_id, lines) = (order.id, order.lines.skus());
        let to_all = |message: &dyn Fn() -> StockCommand| -> Messages {
            self.stock_partitions_of(lines).into_iter().map(|partition| (partition, message())).collect()
        };
        match effect {
            // What comes back is counted by the transition.
            None | Some(StockEffect::Return) => (before, Vec::new()),
            Some(StockEffect::Reserve) => (Holding::Asked, self.reserve(order, lines, Prices::Set)),
            Some(StockEffect::Release) => {
                (Holding::Nothing, to_all(&|| StockCommand::Release(Release { order_id, reason: why })))
            }
            Some(StockEffect::Ship) => {
                // Only what is known to have been shipped can come back.
                let after = if self.lifecycle.takes_returns() { Holding::Shipped } else { Holding::Nothing };
                (after, to_all(&|| StockCommand::Ship(Ship { order_id, part: None })))
            }
        }
    }
}

type Messages = Vec<(Partition, StockCommand)>;

/// The rejection of a command about an order.
fn rejected(
    command: &str,
    order_id: OrderId,
    code: RejectionCode,
    detail: impl Into<String>,
) -> CommandRejected {
    CommandRejected {
        command: command.into(),
        code,
        detail: detail.into(),
        order_id: Some(order_id),
        sku: None,
        allowed: None,
        version: None,
        key: None,
        repeated: false,
    }
}
