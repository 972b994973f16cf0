//! Folding events into the state. The events contain everything needed, so another lifecycle does not change the past.

use orderflow_schemas::{
    OrderEvent, Timestamp,
    events::{Change, OrderChanged},
};

use super::{
    OrderProcessor, Orders,
    packed::{Active, MaybePacked},
};
use crate::keys::{Digest, Remembered};

impl OrderProcessor {
    pub(super) fn fold(&self, state: &mut Orders, event: &OrderEvent, time: Timestamp) {
        match event {
            OrderEvent::Changed(change, changed) => {
                if *change == Change::Created {
                    self.remember_key(state, changed, time);
                }
                state.put(*change, changed);
            }
            OrderEvent::StockReplied(reply) => {
                if let Some(order) = state.active.get_mut(&reply.order_id) {
                    order.get_mut().replies.push((reply.partition, reply.outcome.clone()));
                }
            }
            OrderEvent::Ticked(_) | OrderEvent::Rejected(_) | OrderEvent::Repeated(_) => {}
        }
    }

    fn remember_key(&self, state: &mut Orders, created: &OrderChanged, time: Timestamp) {
        let order = &created.order;
        if let (Some(key), Some(fingerprint)) = (&order.idempotency_key, created.fingerprint) {
            let digest = Digest::of(order.customer_id.as_str(), key.as_str());
            state.keys.remember(digest, Remembered { fingerprint, value: order.id }, time, self.keys_max);
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
