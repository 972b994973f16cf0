//! Invariant 6: an order's versions count 1, 2, 3 …, and each change starts from the state before it. What has ended stays
//! as it is, and what was declined never comes to be. Each key has one order.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::Arc,
};

use orderflow_schemas::{
    CustomerId, IdempotencyKey, Lifecycle, Order, OrderEvent, OrderId, Role, Status, Timestamp,
    events::{Change, Holding, OrderChanged},
    lifecycle::Visible,
    order::FailureCode,
};

use super::{Checked, broken};

/// All orders of a run, according to the events.
#[derive(Debug, Default)]
pub struct Orders {
    orders: BTreeMap<OrderId, Last>,
    keys: BTreeMap<(CustomerId, IdempotencyKey), OrderId>,
    /// The states that an order leaves automatically after some time.
    timed: BTreeSet<Status>,
    /// Orders that no reader sees yet.
    requested: BTreeSet<OrderId>,
    /// Orders that were never created, and why.
    declined: BTreeMap<OrderId, FailureCode>,
    /// Whether every order is requested before it is created.
    is_requested_first: bool,
    /// The number of events of shipments.
    shipments: usize,
}

/// An order according to its last event.
#[derive(Debug)]
struct Last {
    order: Arc<Order>,
    holding: Holding,
    due: Option<Timestamp>,
    ended: bool,
}

impl Orders {
    /// No orders yet. All versions of the rules have the same timed states as `lifecycle`.
    pub fn new(lifecycle: &Lifecycle) -> Self {
        let states = lifecycle.states().filter(|(id, _)| lifecycle.on_time(*id, None).is_some());
        let timed = states.map(|(_, state)| state.name.clone()).collect();
        let is_requested_first = lifecycle.visible() == Visible::Reserved;
        Self { timed, is_requested_first, ..Self::default() }
    }

    /// The orders, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Order>> {
        self.orders.values().map(|last| &last.order)
    }

    /// The orders that are neither created nor declined yet.
    pub fn requested(&self) -> impl Iterator<Item = OrderId> {
        self.requested.iter().copied()
    }

    /// The number of requests that were declined.
    pub fn declined_len(&self) -> usize {
        self.declined.len()
    }

    /// The number of events of shipments.
    pub fn shipments_len(&self) -> usize {
        self.shipments
    }

    /// Whether the order has ended.
    pub fn is_over(&self, id: OrderId) -> bool {
        self.orders.get(&id).is_some_and(|last| last.ended)
    }

    /// The orders with the state of their stock reservation, by id.
    pub fn holdings(&self) -> impl Iterator<Item = (&Arc<Order>, Holding)> {
        self.orders.values().map(|last| (&last.order, last.holding))
    }

    /// The order that was created or requested under a key of a customer.
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
        let is_shipment = match event {
            OrderEvent::Changed(_, event) => event.shipment.is_some(),
            event => matches!(event, OrderEvent::ShipmentRecorded(_)),
        };
        self.shipments += usize::from(is_shipment);
        match event {
            OrderEvent::Changed(change, event) => self.change(*change, event),
            OrderEvent::Requested(event) => self.request(&event.order),
            OrderEvent::Declined(event) => {
                self.declined.insert(event.order_id, event.code);
                if self.requested.remove(&event.order_id) && !self.orders.contains_key(&event.order_id) {
                    return Ok(());
                }
                broken(format!("order {} is declined and was not requested", event.order_id))
            }
            OrderEvent::ShipmentRecorded(event) if !self.is_over(event.order_id) => {
                broken(format!("order {} is not over, and its shipment is only recorded", event.order_id))
            }
            OrderEvent::Repeated(event) if event.declined != self.declined.get(&event.order_id).copied() => {
                broken(format!("order {} is declined or not, and a repeat is told otherwise", event.order_id))
            }
            _ => Ok(()),
        }
    }

    fn request(&mut self, order: &Order) -> Checked {
        self.take_key(order)?;
        let is_new = self.requested.insert(order.id) && !self.orders.contains_key(&order.id);
        if !is_new || order.version != 0 || !self.is_requested_first {
            return broken(format!("order {} is requested as version {}", order.id, order.version));
        }
        Ok(())
    }

    /// Checks that the key of a new order is no other order's.
    fn take_key(&mut self, order: &Order) -> Checked {
        let Some(key) = &order.idempotency_key else { return Ok(()) };
        match self.keys.insert((order.customer_id.clone(), key.clone()), order.id) {
            Some(first) if first != order.id => {
                broken(format!("key {} made two orders, {first} and {}", key.as_str(), order.id))
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: Change, event: &OrderChanged) -> Checked {
        let order = &event.order;
        if change == Change::Created {
            self.take_key(order)?;
            let was_requested = self.requested.remove(&order.id) && event.holding == Holding::Held;
            if was_requested != self.is_requested_first || self.declined.contains_key(&order.id) {
                return broken(format!("order {} is created before stock holds its lines", order.id));
            }
        }
        let known = self.orders.entry(order.id);
        let fits = match &known {
            Entry::Vacant(_) => change == Change::Created && order.version == 1 && event.from.is_none(),
            Entry::Occupied(known) => {
                let Last { order: before, ended, .. } = known.get();
                check_returned(before, order)?;
                check_courier(before, event)?;
                !ended
                    && change != Change::Created
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
        let ended = matches!(change, Change::Completed | Change::Failed | Change::Canceled);
        known.insert_entry(Last { order: Arc::clone(order), holding: event.holding, due: event.due, ended });
        Ok(())
    }
}

/// Checks that what came back stays back, and is no more than was ordered.
fn check_returned(before: &Order, after: &Order) -> Checked {
    let units = |order: &Order, line: u32| -> u64 {
        let of_line = order.returned.iter().filter(|units| units.line == line);
        of_line.map(|units| u64::from(units.quantity)).sum()
    };
    for (line, ordered) in (1..).zip(after.lines.skus()) {
        if !(units(before, line)..=ordered.quantity.into()).contains(&units(after, line)) {
            return broken(format!("order {}: {:?} came back of it", after.id, after.returned));
        }
    }
    Ok(())
}

/// Checks that no courier changes an order that names another one.
fn check_courier(before: &Order, event: &OrderChanged) -> Checked {
    let by = &event.by;
    if by.role == Role::Courier && before.courier_id.as_ref().is_some_and(|named| *named != by.subject) {
        return broken(format!("order {} is changed by {}, another courier", before.id, by.subject));
    }
    Ok(())
}
