//! All checks of durable data together.

use std::collections::BTreeMap;

use bytes::Bytes;
use orderflow_processors::{OrderProcessor, StockProcessor};
use orderflow_schemas::{
    CustomerId, IdempotencyKey, Offset, OrderId, Partition, Sku, Source, Topic, TopicPartition,
    events::Holding,
};

use super::{ChangeKeys, Checked, Decisions, Ledger, Numbers, Orders, Store, Truth, broken};
use crate::{
    ingest::Answer,
    plan::{Plan, Rules},
    sqlite::Content,
};

/// The checks of a run, with the state they need.
pub struct Checks {
    order_decisions: Vec<Decisions<OrderProcessor>>,
    stock_decisions: Vec<Decisions<StockProcessor>>,
    numbers: BTreeMap<TopicPartition, Numbers>,
    ledgers: Vec<Ledger>,
    /// The orders so far, according to the durable events.
    pub orders: Orders,
    change_keys: ChangeKeys,
    store: Store,
}

impl Checks {
    /// The checks for a run that starts under these rules.
    pub fn new(plan: &Plan, rules: &Rules, partitions: &[TopicPartition]) -> Self {
        let orders = (0..plan.order_partitions).map(Partition);
        let stock = (0..plan.stock_partitions).map(Partition);
        let numbered =
            partitions.iter().filter(|topic_partition| topic_partition.topic != Topic::DeadLetters);
        Self {
            order_decisions: orders
                .map(|partition| Decisions::new(rules.orders(plan), partition, plan.stock_partitions))
                .collect(),
            stock_decisions: stock
                .clone()
                .map(|partition| {
                    Decisions::new(rules.stock(plan, partition), partition, plan.order_partitions)
                })
                .collect(),
            numbers: numbered
                .map(|topic_partition| (*topic_partition, Numbers::new(*topic_partition)))
                .collect(),
            ledgers: stock.map(|_| Ledger::default()).collect(),
            orders: Orders::new(&rules.lifecycle),
            change_keys: ChangeKeys::new(rules.lifecycle.clone()),
            store: Store::default(),
        }
    }

    /// Applies new rules to the commands that are not decided yet.
    pub fn upgrade(&mut self, plan: &Plan, rules: &Rules) {
        self.order_decisions.iter_mut().for_each(|decisions| decisions.upgrade(rules.orders(plan)));
    }

    /// Checks the records that have become durable since the last call.
    pub fn check(&mut self, truth: &Truth) -> Checked {
        for (topic_partition, numbers) in &mut self.numbers {
            numbers.check(truth.of(*topic_partition))?;
        }
        let (orders, keys, store) = (&mut self.orders, &mut self.change_keys, &mut self.store);
        for decisions in &mut self.order_decisions {
            let (input, events) = decisions.input_and_output();
            decisions.check(truth.of(input), truth.of(events), |offset, cause, event| {
                store.note_order(events, offset, cause, event);
                keys.take_order(command_at(truth, input, cause.0), event)?;
                orders.take(event)
            })?;
        }
        for (decisions, ledger) in self.stock_decisions.iter_mut().zip(&mut self.ledgers) {
            let (input, events) = decisions.input_and_output();
            decisions.check(truth.of(input), truth.of(events), |offset, cause, event| {
                store.note_stock(events, offset, cause, event);
                keys.take_stock(command_at(truth, input, cause.0), event)?;
                ledger.take(event)
            })?;
        }
        Ok(())
    }

    /// Checks the content of the store.
    pub fn check_store(&mut self, rows: &Content, truth: &Truth) -> Checked {
        self.store.check(rows, |topic_partition| truth.of(topic_partition).len() as u64)
    }

    /// Whether every durable command is decided and the store has shown all events.
    pub fn is_at_rest(&self, truth: &Truth) -> bool {
        self.order_decisions
            .iter()
            .all(|decisions| decisions.is_done(truth.of(decisions.input_and_output().0)))
            && self
                .stock_decisions
                .iter()
                .all(|decisions| decisions.is_done(truth.of(decisions.input_and_output().0)))
            && self.store.is_complete()
    }

    /// Whether an event answers the command at this offset.
    pub fn answers(&self, topic_partition: TopicPartition, offset: Offset) -> bool {
        let index = usize::from(topic_partition.partition.0);
        if topic_partition.topic == Topic::OrdersCommands {
            self.order_decisions.get(index).is_some_and(|decisions| decisions.answers(offset))
        } else {
            self.stock_decisions.get(index).is_some_and(|decisions| decisions.answers(offset))
        }
    }

    /// Checks what must hold at rest: for acknowledged commands, for messages, and for the units that orders hold.
    pub fn check_rest<'a>(
        &self,
        acknowledged: impl Iterator<Item = &'a Answer>,
        keys: impl Iterator<Item = &'a (CustomerId, IdempotencyKey)>,
    ) -> Checked {
        for (customer, key) in keys {
            if self.orders.under(customer, key).is_none() {
                let (customer, key) = (customer.as_str(), key.as_str());
                return broken(format!("key {key} of {customer} was acknowledged and has no order"));
            }
        }
        for answer in acknowledged {
            let Answer::Acknowledged { topic_partition, source, number, offset, .. } = answer else {
                continue;
            };
            let index = usize::from(topic_partition.partition.0);
            let decided = if topic_partition.topic == Topic::OrdersCommands {
                self.order_decisions.get(index).map_or(0, |decisions| decisions.decided(source))
            } else {
                self.stock_decisions.get(index).map_or(0, |decisions| decisions.decided(source))
            };
            if !self.answers(*topic_partition, *offset) {
                return broken(format!(
                    "{topic_partition} offset {offset} was acknowledged, and no store ever reaches it"
                ));
            }
            if decided < *number {
                return broken(format!(
                    "{topic_partition}: number {number} of {} has no decision",
                    source.as_str()
                ));
            }
        }
        self.check_messages()?;
        self.check_holdings()?;
        self.check_returned()
    }

    /// Checks that the messages of all decisions are there, apart from repeats once each, and no others.
    fn check_messages(&self) -> Checked {
        for decisions in &self.order_decisions {
            let (input, _) = decisions.input_and_output();
            for to in (0..self.stock_decisions.len()).filter_map(|n| u16::try_from(n).ok()) {
                let topic_partition = TopicPartition::new(Topic::StockCommands, to);
                self.compare_messages(input, topic_partition, decisions.messages(topic_partition.partition))?;
            }
        }
        for decisions in &self.stock_decisions {
            let (input, _) = decisions.input_and_output();
            for to in (0..self.order_decisions.len()).filter_map(|n| u16::try_from(n).ok()) {
                let topic_partition = TopicPartition::new(Topic::OrdersCommands, to);
                self.compare_messages(input, topic_partition, decisions.messages(topic_partition.partition))?;
            }
        }
        Ok(())
    }

    fn compare_messages(
        &self,
        from: TopicPartition,
        topic_partition: TopicPartition,
        expected: &[Bytes],
    ) -> Checked {
        let there = self
            .numbers
            .get(&topic_partition)
            .map_or(&[][..], |numbers| numbers.of(&Source::processor(from)));
        if there != expected {
            return broken(format!(
                "{topic_partition} has {} messages of {from}, {} follow from its commands, or others",
                there.len(),
                expected.len()
            ));
        }
        Ok(())
    }

    /// Checks that orders and stock agree on what was shipped and did not come back, and that no request is left.
    fn check_returned(&self) -> Checked {
        if let Some(id) = self.orders.requested().next() {
            return broken(format!("order {id} was requested, and is neither created nor declined"));
        }
        let mut out: BTreeMap<OrderId, BTreeMap<&Sku, u64>> = BTreeMap::new();
        for (id, units) in self.ledgers.iter().flat_map(Ledger::out) {
            out.entry(id).or_default().extend(units.iter().map(|(sku, units)| (sku, *units)));
        }
        for order in self.orders.iter() {
            let Some(there) = out.remove(&order.id) else {
                if order.returned.is_empty() {
                    continue;
                }
                return broken(format!("order {} returns what was not shipped", order.id));
            };
            let mut expected: BTreeMap<&Sku, u64> = BTreeMap::new();
            for (line, ordered) in (1..).zip(order.lines.skus()) {
                let back = order.returned.iter().filter(|units| units.line == line);
                let back: u64 = back.map(|units| u64::from(units.quantity)).sum();
                *expected.entry(&ordered.sku).or_default() +=
                    u64::from(ordered.quantity).saturating_sub(back);
            }
            if there != expected {
                return broken(format!("order {}: {there:?} are out, by its lines {expected:?}", order.id));
            }
        }
        match out.into_keys().next() {
            Some(id) => broken(format!("units were shipped for order {id}, which is none")),
            None => Ok(()),
        }
    }

    /// Checks that active orders hold the units that stock has reserved for them, and that no order waits for stock.
    fn check_holdings(&self) -> Checked {
        let mut held: BTreeMap<OrderId, u64> = BTreeMap::new();
        for (id, units) in self.ledgers.iter().flat_map(Ledger::held) {
            *held.entry(id).or_default() += units;
        }
        for (order, holding) in self.orders.holdings() {
            let reserved = held.remove(&order.id).unwrap_or(0);
            let ordered: u64 = order.lines.skus().iter().map(|line| u64::from(line.quantity)).sum();
            let expected = match holding {
                Holding::Nothing | Holding::Shipped => 0,
                Holding::Held => ordered,
                Holding::Asked => return broken(format!("order {} waits for stock for ever", order.id)),
            };
            if reserved != expected {
                return broken(format!("order {} holds {expected} units, reserved are {reserved}", order.id));
            }
        }
        match held.into_iter().next() {
            Some((id, units)) => broken(format!("{units} units are reserved for order {id}, which is none")),
            None => Ok(()),
        }
    }
}

/// The durable record at this offset of a partition.
fn command_at(truth: &Truth, topic_partition: TopicPartition, offset: Offset) -> Option<&Bytes> {
    truth.of(topic_partition).get(usize::try_from(offset.0).ok()?)
}
