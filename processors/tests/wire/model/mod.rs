//! The rules of orders and stock, written independently of the processors and checked against every event they write.

mod changes;
mod keys;
mod orders;
mod stock;

use std::collections::{BTreeMap, BTreeSet};

use keys::{Answer, FirstUse, ScopedKey};
use orderflow_processors::{OrderProcessor, Processor};
use orderflow_schemas::{
    Amount, Currency, Levels, Order, OrderCommand, OrderEvent, OrderId, Sku, StockCommand, Timestamp,
    commands::{Fingerprint, Prices},
    events::Holding,
    order::FailureCode,
};

use super::{Node, Step, Wire};

#[derive(Clone)]
struct KnownOrder {
    order: Order,
    holding: Holding,
    due: Option<Timestamp>,
    ended: bool,
    prices: Prices,
}

/// The SKU of a line of an order, its units, and the price of one unit.
type Line = (Sku, u32, Amount);

#[derive(Default, Clone)]
pub struct Model {
    orders: BTreeMap<OrderId, KnownOrder>,
    /// Orders that nobody sees yet.
    requested: BTreeMap<OrderId, KnownOrder>,
    /// Orders that never came to be.
    declined: BTreeMap<OrderId, FailureCode>,
    keys: BTreeMap<(String, String), (Timestamp, Fingerprint, OrderId)>,
    change_keys: BTreeMap<ScopedKey, FirstUse>,
    levels: BTreeMap<Sku, Levels>,
    catalogue: BTreeMap<Sku, (Amount, Currency)>,
    held: BTreeMap<OrderId, Vec<Line>>,
    /// The units of each order that were shipped and did not come back.
    shipped: BTreeMap<OrderId, BTreeMap<Sku, u64>>,
    confirmed: BTreeSet<(OrderId, Sku, Amount)>,
}

impl Model {
    pub fn order_step(&mut self, step: &Step<OrderProcessor>, node: &Node<OrderProcessor>) {
        if let OrderCommand::Place(place) = &step.command {
            self.check_key(place, &step.events[0], step.time);
        }
        self.check_caller(step, node);
        let before = self.returned_before(step);
        for event in &step.events {
            self.order_event(step, event, &node.processor.lifecycle);
            if let OrderEvent::Changed(_, changed) = event {
                let found = node.state.get(changed.order.id);
                let ended = self.orders[&changed.order.id].ended;
                assert_eq!(found.is_none(), ended, "an order in a final state leaves memory, another stays");
            }
        }
        self.check_returned(step, &before);
        for (_, message) in &step.messages {
            if let StockCommand::Reserve(reserve) = message {
                self.check_asked_prices(reserve);
            }
        }
        if matches!(step.command, OrderCommand::Tick(_)) {
            let due = node.processor.next_due(&node.state);
            assert!(due.is_none_or(|due| due > step.time), "a tick leaves nothing due");
        }
    }

    /// The orders that have not ended, each as of its latest event.
    pub fn active(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|known| !known.ended).map(|known| &known.order)
    }

    /// Checks what must be true once no command is in flight.
    pub fn at_rest(&self, wire: &Wire) {
        let reserved = self.orders_at_rest();
        for (sku, levels) in &self.levels {
            assert_eq!(levels.reserved, reserved.get(sku).copied().unwrap_or_default(), "reserved of {sku}");
        }
        let active: usize = wire.orders.iter().map(|node| node.state.active_len()).sum();
        assert_eq!(active, self.orders.values().filter(|known| !known.ended).count());
        let held: BTreeMap<OrderId, u64> = wire.stock.iter().flat_map(|node| node.state.reservations()).fold(
            BTreeMap::new(),
            |mut sums, (id, units)| {
                *sums.entry(id).or_default() += units;
                sums
            },
        );
        let expected =
            self.held.iter().map(|(id, lines)| (*id, lines.iter().map(|line| u64::from(line.1)).sum()));
        assert_eq!(held, expected.collect());
    }
}

fn lines_of(order: &Order) -> Vec<Line> {
    let line = |line: &orderflow_schemas::OrderLine| {
        (line.sku.clone(), line.quantity, line.unit_price.expect("a reserved line has a price"))
    };
    let mut lines: Vec<Line> = order.lines.skus().iter().map(line).collect();
    lines.sort();
    lines
}
