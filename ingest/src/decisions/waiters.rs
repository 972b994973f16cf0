//! The requests of one partition that wait: for the reply to a command, or for an order's next event.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use orderflow_schemas::{OrderId, Source, TopicPartition};
use tokio::sync::oneshot;

use super::{Decision, DecisionSender};

/// A waiter that is registered in one of the maps of [`Waiters`].
#[derive(Debug)]
pub struct RegisteredWaiter {
    id: u64,
    sender: oneshot::Sender<Decision>,
    /// Whether the waiter's command turned out to be a repeat.
    pub replayed: bool,
}

impl RegisteredWaiter {
    /// Sends the decision to the waiter. If the waiter has given up, the decision is dropped.
    pub fn complete(self, decision: Decision) {
        let _ = self.sender.send(decision);
    }

    /// Turns the waiter back into the sender it was made from.
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
    /// Whether no request is waiting.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether any request waits for an order's next event.
    pub fn follow_orders(&self) -> bool {
        !self.by_order.is_empty()
    }

    /// Registers a waiter for the reply to a command. A waiter that has given up is ignored.
    pub fn register(&mut self, source: &Source, number: u64, waiter: DecisionSender) {
        if waiter.sender.is_closed() {
            return;
        }
        let entry = RegisteredWaiter { id: waiter.id, sender: waiter.sender, replayed: false };
        self.keys.insert(entry.id, WaitKey::Command(source.clone(), number));
        self.by_command.insert((source.clone(), number), entry);
    }

    /// Removes and returns the waiter for the reply to this command.
    pub fn take_command(&mut self, source: &Source, number: u64) -> Option<RegisteredWaiter> {
        let entry = self.by_command.remove(&(source.clone(), number))?;
        self.keys.remove(&entry.id);
        Some(entry)
    }

    /// Registers a waiter again, now for the order's next event. A waiter that has given up is ignored.
    pub fn follow(&mut self, order: OrderId, entry: RegisteredWaiter) {
        if entry.sender.is_closed() {
            return;
        }
        self.keys.insert(entry.id, WaitKey::Order(order));
        self.by_order.entry(order).or_default().push(entry);
    }

    /// Removes and returns the waiters for this order's next event.
    pub fn take_order(&mut self, order: OrderId) -> Vec<RegisteredWaiter> {
        let entries = self.by_order.remove(&order).unwrap_or_default();
        for entry in &entries {
            self.keys.remove(&entry.id);
        }
        entries
    }

    /// Removes a waiter that has given up.
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

    /// Drops all waiters, which tells them that no decision will come.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}
