//! Folding events into the state. The events contain everything needed, so another lifecycle does not change the past.

use orderflow_schemas::{
    OrderEvent, Timestamp,
    events::{Change, OrderChanged},
};

use super::{
    OrderProcessor, Orders,
    packed::{Active, MaybePacked},
};
use crate::keys::Outcome;

impl OrderProcessor {
    pub(super) fn fold(&self, state: &mut Orders, event: &OrderEvent, time: Timestamp) {
        match event {
            OrderEvent::Changed(change, changed) => {
                self.remember_key(state, *change, changed, time);
                state.put(*change, changed);
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
        let Some(key) = changed.key else { return };
        if change == Change::Created {
            state.keys.remember(key, changed.order.id, time, self.keys_max);
        } else {
            state.change_keys.remember(key, Outcome::Done(()), time, self.change_keys_max);
        }
    }
}

impl Orders {
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
