//! Who waits in one partition: for the answer to a command, or for an order's next event.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use orderflow_schemas::{OrderId, Source, TopicPartition};
use tokio::sync::oneshot;

use super::{Decision, DecisionSender};

/// A registered waiter.
#[derive(Debug)]
pub struct RegisteredWaiter {
    id: u64,
    sender: oneshot::Sender<Decision>,
    /// Whether its command turned out to be a repeat.
    pub replayed: bool,
}

impl RegisteredWaiter {
    /// Gives the waiter its decision. It may have given up; then the decision is dropped.
    pub fn complete(self, decision: Decision) {
        let _ = self.sender.send(decision);
    }

    /// The watch it was before it was registered.
    pub fn into_watch(self, events: TopicPartition) -> DecisionSender {
        DecisionSender { id: self.id, events, sender: self.sender }
    }
}

#[derive(Debug)]
enum WaitKey {
    Command(Source, u64),
    Order(OrderId),
}

/// The waiters of one partition.
#[derive(Debug, Default)]
pub struct Waiters {
    by_command: HashMap<(Source, u64), RegisteredWaiter, RandomState>,
    by_order: HashMap<OrderId, Vec<RegisteredWaiter>, RandomState>,
    keys: HashMap<u64, WaitKey, RandomState>,
}

impl Waiters {
    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether anybody waits for an order's next event.
    pub fn follow_orders(&self) -> bool {
        !self.by_order.is_empty()
    }

    /// Waits for the answer to a command.
    pub fn register(&mut self, source: &Source, number: u64, watch: DecisionSender) {
        if watch.sender.is_closed() {
            return;
        }
        let entry = RegisteredWaiter { id: watch.id, sender: watch.sender, replayed: false };
        self.keys.insert(entry.id, WaitKey::Command(source.clone(), number));
        self.by_command.insert((source.clone(), number), entry);
    }

    /// Takes out who waits for the answer to this command.
    pub fn take_command(&mut self, source: &Source, number: u64) -> Option<RegisteredWaiter> {
        let entry = self.by_command.remove(&(source.clone(), number))?;
        self.keys.remove(&entry.id);
        Some(entry)
    }

    /// Waits on, for the order's next event.
    pub fn follow(&mut self, order: OrderId, entry: RegisteredWaiter) {
        if entry.sender.is_closed() {
            return;
        }
        self.keys.insert(entry.id, WaitKey::Order(order));
        self.by_order.entry(order).or_default().push(entry);
    }

    /// Takes out who waits for this order's next event.
    pub fn take_order(&mut self, order: OrderId) -> Vec<RegisteredWaiter> {
        let entries = self.by_order.remove(&order).unwrap_or_default();
        for entry in &entries {
            self.keys.remove(&entry.id);
        }
        entries
    }

    /// Forgets a waiter that gave up.
    pub fn forget(&mut self, id: u64) {
        match self.keys.remove(&id) {
            None => {}
            Some(WaitKey::Command(source, number)) => drop(self.by_command.remove(&(source, number))),
            Some(WaitKey::Order(order)) => {
                let Some(entries) = self.by_order.get_mut(&order) else { return };
                entries.retain(|entry| entry.id != id);
                if entries.is_empty() {
                    self.by_order.remove(&order);
                }
            }
        }
    }

    /// Forgets all: no decision will come.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
