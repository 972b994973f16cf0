//! Invariant 5: stock balances after each event, each reservation is resolved once, and no more comes back of an order
//! than was shipped.

use std::collections::BTreeMap;

use orderflow_schemas::{
    Levels, OrderId, Sku, StockEvent,
    events::{Movement, StockChanged, StockReturned},
    returns::ReturnTo,
};

use super::{Checked, broken};

/// The units moved so far of the SKUs of one partition.
#[derive(Debug, Default)]
pub struct Ledger {
    levels: BTreeMap<Sku, Levels>,
    /// The units that each order has reserved and not resolved, by SKU.
    open: BTreeMap<OrderId, BTreeMap<Sku, u64>>,
    /// Orders that were reserved once and must not be reserved again.
    reserved: std::collections::BTreeSet<OrderId>,
    /// The units of each order that were shipped and did not come back.
    out: BTreeMap<OrderId, BTreeMap<Sku, u64>>,
}

impl Ledger {
    /// The units that each order holds.
    pub fn held(&self) -> impl Iterator<Item = (OrderId, u64)> {
        self.open.iter().map(|(id, lines)| (*id, lines.values().sum()))
    }

    /// The units of each order that were shipped and did not come back, for all orders that were shipped.
    pub fn out(&self) -> impl Iterator<Item = (OrderId, &BTreeMap<Sku, u64>)> {
        self.out.iter().map(|(id, units)| (*id, units))
    }

    /// Applies an event and checks its levels.
    pub fn take(&mut self, event: &StockEvent) -> Checked {
        match event {
            StockEvent::Received(event) | StockEvent::Adjusted(event) => self.change(event),
            StockEvent::ProductUpdated(event) => self.expect(&event.sku, self.of(&event.sku), event.levels),
            StockEvent::Reserved(event) => self.reserve(event.order_id, &event.lines),
            StockEvent::Released(event) => self.resolve(event.order_id, &event.lines, |levels, units| {
                Levels { available: levels.available + units, ..levels }
            }),
            StockEvent::Shipped(event) => self.ship(event.order_id, &event.lines),
            StockEvent::Returned(event) => self.take_back(event),
            // The repeated event was checked, and the levels here are those of that time.
            StockEvent::Repeated(_) | StockEvent::Refused(_) | StockEvent::Rejected(_) => Ok(()),
        }
    }

    fn of(&self, sku: &Sku) -> Levels {
        self.levels.get(sku).copied().unwrap_or_default()
    }

    fn change(&mut self, event: &StockChanged) -> Checked {
        let (before, units) = (self.of(&event.sku), event.delta.unsigned_abs());
        let after = if event.delta >= 0 {
            Levels { received: before.received + units, available: before.available + units, ..before }
        } else {
            let Some(available) = before.available.checked_sub(units) else {
                return broken(format!(
                    "SKU {}: {units} written off, {} available",
                    event.sku, before.available
                ));
            };
            Levels { available, written_off: before.written_off + units, ..before }
        };
        self.expect(&event.sku, after, event.levels)
    }

    fn reserve(&mut self, order: OrderId, lines: &[Movement]) -> Checked {
        if !self.reserved.insert(order) {
            return broken(format!("order {order} is reserved twice"));
        }
        for Movement { sku, quantity, levels } in lines {
            let (before, units) = (self.of(sku), u64::from(*quantity));
            let Some(available) = before.available.checked_sub(units) else {
                return broken(format!(
                    "SKU {sku} is oversold: {units} reserved, {} available",
                    before.available
                ));
            };
            self.expect(sku, Levels { available, reserved: before.reserved + units, ..before }, *levels)?;
            *self.open.entry(order).or_default().entry(sku.clone()).or_default() += units;
        }
        Ok(())
    }

    fn ship(&mut self, order: OrderId, lines: &[Movement]) -> Checked {
        self.resolve(order, lines, |levels, units| Levels { shipped: levels.shipped + units, ..levels })?;
        let out = self.out.entry(order).or_default();
        for Movement { sku, quantity, .. } in lines {
            *out.entry(sku.clone()).or_default() += u64::from(*quantity);
        }
        Ok(())
    }

    fn take_back(&mut self, event: &StockReturned) -> Checked {
        let order = event.order_id;
        for line in &event.lines {
            let (sku, before, units) = (&line.sku, self.of(&line.sku), u64::from(line.quantity));
            let out = self.out.get_mut(&order).and_then(|out| out.get_mut(sku));
            let left = out.as_deref().and_then(|out| out.checked_sub(units));
            let (Some(out), Some(left), Some(shipped)) = (out, left, before.shipped.checked_sub(units))
            else {
                return broken(format!(
                    "order {order}: {units} of SKU {sku} come back that were not shipped"
                ));
            };
            *out = left;
            let after = match line.to {
                ReturnTo::Stock => Levels { shipped, available: before.available + units, ..before },
                ReturnTo::WrittenOff => Levels { shipped, written_off: before.written_off + units, ..before },
            };
            self.expect(sku, after, line.levels)?;
        }
        Ok(())
    }

    fn resolve(&mut self, order: OrderId, lines: &[Movement], to: impl Fn(Levels, u64) -> Levels) -> Checked {
        for Movement { sku, quantity, levels } in lines {
            let (before, units) = (self.of(sku), u64::from(*quantity));
            let open = self.open.get_mut(&order).and_then(|lines| lines.get_mut(sku));
            let left = open.as_deref().and_then(|open| open.checked_sub(units));
            let (Some(open), Some(left), Some(reserved)) = (open, left, before.reserved.checked_sub(units))
            else {
                return broken(format!(
                    "order {order}: {units} of SKU {sku} are resolved that it does not hold"
                ));
            };
            *open = left;
            self.expect(sku, to(Levels { reserved, ..before }, units), *levels)?;
        }
        if let Some(open) = self.open.get_mut(&order) {
            open.retain(|_, units| *units > 0);
        }
        self.open.retain(|_, lines| !lines.is_empty());
        Ok(())
    }

    fn expect(&mut self, sku: &Sku, expected: Levels, there: Levels) -> Checked {
        if expected != there || !there.balance() {
            return broken(format!("SKU {sku} has {there:?}; what moved gives {expected:?}"));
        }
        self.levels.insert(sku.clone(), there);
        Ok(())
    }
}
