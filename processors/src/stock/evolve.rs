//! Folding events into the state.

use orderflow_schemas::{
    Levels, OrderId, Sku, StockEvent, Timestamp,
    events::{CatalogueEntry, Movement, UsedKey},
};

use super::{
    Stock, StockProcessor,
    state::{Held, Resolution},
};
use crate::keys::Outcome;

impl StockProcessor {
    pub(super) fn fold(&self, state: &mut Stock, event: &StockEvent, time: Timestamp) {
        match event {
            StockEvent::Received(changed) | StockEvent::Adjusted(changed) => {
                self.remember_key(state, changed.key, Outcome::Done(changed.levels), time);
                state.set(&changed.sku, changed.levels);
            }
            StockEvent::ProductUpdated(updated) => {
                self.remember_key(state, updated.key, Outcome::Done(updated.levels), time);
                let product = CatalogueEntry {
                    name: updated.name.clone(),
                    unit_price: updated.unit_price,
                    currency: updated.currency,
                };
                state.items.entry(updated.sku.clone()).or_default().product = Some(product);
            }
            StockEvent::Reserved(reserved) => {
                state.set_all(&reserved.lines);
                let held = |line: &Movement| Held { sku: line.sku.clone(), quantity: line.quantity };
                state.reservations.insert(reserved.order_id, reserved.lines.iter().map(held).collect());
            }
            StockEvent::Released(released) => {
                state.set_all(&released.lines);
                self.resolve(state, released.order_id, Resolution::of(released.reason));
            }
            StockEvent::Shipped(shipped) => {
                state.set_all(&shipped.lines);
                if state.take_shipped(shipped.order_id, &shipped.lines) {
                    self.resolve(state, shipped.order_id, Resolution::Shipped);
                }
            }
            StockEvent::Returned(returned) => {
                for line in &returned.lines {
                    state.set(&line.sku, line.levels);
                }
            }
            StockEvent::Rejected(rejected) => {
                self.remember_key(state, rejected.key, Outcome::Rejected(rejected.code), time);
            }
            StockEvent::Refused(_) | StockEvent::Repeated(_) => {}
        }
    }

    fn resolve(&self, state: &mut Stock, order_id: OrderId, resolution: Resolution) {
        state.reservations.remove(&order_id);
        state.resolved.remember(order_id, resolution, self.resolved_max);
    }

    fn remember_key(
        &self,
        state: &mut Stock,
        key: Option<UsedKey>,
        outcome: Outcome<Levels>,
        time: Timestamp,
    ) {
        if let Some(key) = key {
            state.keys.remember(key, outcome, time, self.change_keys_max);
        }
    }
}

impl Stock {
    fn set(&mut self, sku: &Sku, levels: Levels) {
        assert!(levels.balance(), "levels of {sku} do not balance: {levels:?}");
        match self.items.get_mut(sku) {
            Some(item) => item.levels = levels,
            None => self.items.entry(sku.clone()).or_default().levels = levels,
        }
    }

    fn set_all(&mut self, lines: &[Movement]) {
        for line in lines {
            self.set(&line.sku, line.levels);
        }
    }

    /// Takes shipped units out of a reservation. Returns whether nothing is left of it.
    fn take_shipped(&mut self, order_id: OrderId, lines: &[Movement]) -> bool {
        let Some(held) = self.reservations.get_mut(&order_id) else { return false };
        for line in lines {
            let mut left = line.quantity;
            for held in held.iter_mut().filter(|held| held.sku == line.sku) {
                let taken = left.min(held.quantity);
                held.quantity -= taken;
                left -= taken;
            }
        }
        held.retain(|held| held.quantity > 0);
        held.is_empty()
    }
}
