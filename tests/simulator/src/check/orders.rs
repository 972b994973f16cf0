//! Invariant 6: an order's versions count 1, 2, 3 … and each change goes on from the state before it; and one order a
//! key.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

use orderflow_schemas::{
    CustomerId, IdempotencyKey, Order, OrderEvent, OrderId,
    events::{Change, Holding, OrderChanged},
};

use super::{Checked, broken};

/// All orders of a run, as the events have them.
#[derive(Debug, Default)]
pub struct Orders {
    orders: BTreeMap<OrderId, (Arc<Order>, Holding)>,
    keys: BTreeMap<(CustomerId, IdempotencyKey), OrderId>,
}

impl Orders {
    /// The orders, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.orders.values().map(|(order, _)| order)
    }

    /// What each order holds, by id.
    pub fn holdings(&self) -> impl Iterator<Item = (&Arc<Order>, Holding)> {
        self.orders.values().map(|(order, holding)| (order, *holding))
    }

    /// The order that was made under a key.
    pub fn under(&self, customer: &CustomerId, key: &IdempotencyKey) -> Option<OrderId> {
        self.keys.get(&(customer.clone(), key.clone())).copied()
    }

    /// Takes an event.
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
                let before = &known.get().0;
                change != Change::Created
                    && order.version == before.version + 1
                    && event.from.as_ref() == Some(&before.status)
            }
        };
        if !fits {
            return broken(format!("order {}: {change:?} makes version {}", order.id, order.version));
        }
        known.insert_entry((Arc::clone(order), event.holding));
        Ok(())
    }
}
