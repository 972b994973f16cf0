//! Folding events into the state. The events contain everything needed, so another lifecycle does not change the past.

use orderflow_schemas::{
    OrderEvent, OrderId, Timestamp,
    events::{Change, Holding, OrderChanged, OrderDeclined, OrderRequested, UsedKey},
};

use super::{
    OrderProcessor, Orders,
    packed::{Active, MaybePacked},
    state::PlacedOrder,
};
use crate::keys::Outcome;

impl OrderProcessor {
    pub(super) fn fold(&self, state: &mut Orders, event: &OrderEvent, time: Timestamp) {
        match event {
            OrderEvent::Changed(change, changed) => {
                self.remember_key(state, *change, changed, time);
                state.put(*change, changed);
            }
            OrderEvent::Requested(requested) => {
                self.remember_placed(state, requested.key, requested.order.id, time);
                state.request(requested);
            }
            OrderEvent::Declined(declined) => state.decline(declined),
            OrderEvent::ShipmentRecorded(recorded) => {
                if let Some(key) = recorded.key {
                    state.change_keys.remember(key, Outcome::Done(()), time, self.change_keys_max);
                }
            }
            OrderEvent::StockReplied(reply) => {
                if let Some(order) = state.active.get_mut(&reply.order_id) {
                    order.get_mut().replies.push((reply.partition, reply.outcome.clone()));
                }
            }
            OrderEvent::Rejected(rejected) => {
                if let Some(key) = rejected.key {
                    let outcome = Outcome::Rejected(rejected.code);
                    state.change_keys.remember(key, outcome, time, self.change_keys_max);
                }
            }
            OrderEvent::Ticked(_) | OrderEvent::Repeated(_) => {}
        }
    }

    fn remember_key(&self, state: &mut Orders, change: Change, changed: &OrderChanged, time: Timestamp) {
        if change == Change::Created {
            self.remember_placed(state, changed.key, changed.order.id, time);
        } else if let Some(key) = changed.key {
            state.change_keys.remember(key, Outcome::Done(()), time, self.change_keys_max);
        }
    }

    fn remember_placed(&self, state: &mut Orders, key: Option<UsedKey>, id: OrderId, time: Timestamp) {
        if let Some(key) = key {
            state.keys.remember(key, PlacedOrder { id, declined: None }, time, self.keys_max);
        }
    }
}

impl Orders {
    fn request(&mut self, requested: &OrderRequested) {
        let active = Active {
            order: requested.order.clone(),
            holding: Holding::Asked,
            due: None,
            replies: Vec::new(),
            requested_by: Some(Box::new(requested.by.clone())),
        };
        self.active.insert(requested.order.id, MaybePacked::new(active));
    }

    fn decline(&mut self, declined: &OrderDeclined) {
        self.active.remove(&declined.order_id);
        // The key may have been forgotten meanwhile, and be another order's by now.
        let placed = declined.key.and_then(|key| self.keys.get_mut(key));
        if let Some(placed) = placed.filter(|placed| placed.id == declined.order_id) {
            placed.declined = Some(declined.code);
        }
    }

    fn put(&mut self, change: Change, changed: &OrderChanged) {
        let id = changed.order.id;
        let ended = matches!(change, Change::Completed | Change::Failed | Change::Canceled);
        let before = if ended {
            self.active.remove(&id)
        } else {
            let active = Active {
                order: changed.order.clone(),
                holding: changed.holding,
                due: changed.due,
                replies: Vec::new(),
                requested_by: None,
            };
            self.active.insert(id, MaybePacked::new(active))
        };
        if let Some(due) = before.and_then(|before| before.get().due) {
            self.due.remove(&(due, id));
        }
        if let Some(due) = changed.due.filter(|_| !ended) {
            self.due.insert((due, id));
        }
    }
}
