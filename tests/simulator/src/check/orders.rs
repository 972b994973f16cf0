//! Invariant 6: an order's versions count 1, 2, 3 …, and each change starts from the state before it. Each key has
//! one order.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use orderflow_schemas::{
    CustomerId, IdempotencyKey, Lifecycle, Order, OrderEvent, OrderId, Status, Timestamp,
    events::{Change, Holding, OrderChanged},
};

use super::{Checked, broken};

/// All orders of a run, according to the events.
#[derive(Debug, Default)]
pub struct Orders {
    orders: BTreeMap<OrderId, Last>,
    keys: BTreeMap<(CustomerId, IdempotencyKey), OrderId>,
    /// The states that an order leaves automatically after some time.
    timed: BTreeSet<Status>,
}

/// An order according to its last event.
#[derive(Debug)]
struct Last {
    order: Arc<Order>,
    holding: Holding,
    due: Option<Timestamp>,
}

impl Orders {
    /// No orders yet. All versions of the rules have the same timed states as `lifecycle`.
    pub fn new(lifecycle: &Lifecycle) -> Self {
        let states = lifecycle.states().filter(|(id, _)| lifecycle.on_time(*id, None).is_some());
        let timed = states.map(|(_, state)| state.name.clone()).collect();
        Self { timed, ..Self::default() }
    }

    /// The orders, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.orders.values().map(|last| &last.order)
    }

    /// The orders with the state of their stock reservation, by id.
    pub fn holdings(&self) -> impl Iterator<Item = (&Arc<Order>, Holding)> {
        self.orders.values().map(|last| (&last.order, last.holding))
    }

    /// The order that was created under a key of a customer.
    pub fn under(&self, customer: &CustomerId, key: &IdempotencyKey) -> Option<OrderId> {
        self.keys.get(&(customer.clone(), key.clone())).copied()
    }

    /// Checks that every automatic change due before `now` has happened.
    pub fn check_due(&self, now: Timestamp) -> Checked {
        match self.orders.values().find(|last| last.due.is_some_and(|due| due < now)) {
            Some(Last { order, due, .. }) => {
                let due = due.map(|due| due.to_string()).unwrap_or_default();
                broken(format!(
                    "order {} should have left {} by itself at {due}; it is {now}",
                    order.id, order.status
                ))
            }
            None => Ok(()),
        }
    }

    /// Applies an event and checks it.
    pub fn take(&mut self, event: &OrderEvent) -> Checked {
        match event {
            OrderEvent::Changed(change, event) => self.change(*change, event),
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change, event: &OrderChanged) -> Checked {
        let order = &event.order;
        if change == Change::Created
            && let Some(key) = &order.idempotency_key
            && let Some(first) = self.keys.insert((order.customer_id.clone(), key.clone()), order.id)
        {
            return broken(format!("key {} made two orders, {first} and {}", key.as_str(), order.id));
        }
        let known = self.orders.entry(order.id);
        let fits = match &known {
            Entry::Vacant(_) => change == Change::Created && order.version == 1 && event.from.is_none(),
            Entry::Occupied(known) => {
                let before = &known.get().order;
                change != Change::Created
                    && order.version == before.version + 1
                    && event.from.as_ref() == Some(&before.status)
            }
        };
        if !fits {
            return broken(format!("order {}: {change:?} makes version {}", order.id, order.version));
        }
        // The versions of the rules differ in the duration of timers, not in which states have one.
        let waits = event.holding != Holding::Asked && self.timed.contains(&order.status);
        if waits != event.due.is_some() {
            return broken(format!(
                "order {} comes to {} without its timer, or with one",
                order.id, order.status
            ));
        }
        known.insert_entry(Last { order: Arc::clone(order), holding: event.holding, due: event.due });
        Ok(())
    }
}
