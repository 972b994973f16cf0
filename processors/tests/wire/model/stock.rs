//! The rules of stock: every movement has a reason, and levels are the sum of all movements.

use orderflow_processors::{StockProcessor, stock::Stock};
use orderflow_schemas::{
    Amount, Levels, OrderId, Sku, StockCommand, StockEvent,
    commands::{Prices, Reserve},
    events::{Movement, StockReserved, StockReturned},
    returns::ReturnTo,
};

use super::{Answer, Model};
use crate::wire::Step;

impl Model {
    /// Checks the prices in a `stock.reserve` that are marked as set. If the order was placed in a role that may not
    /// set prices, the catalogue has confirmed each of them before.
    pub(super) fn check_asked_prices(&self, reserve: &Reserve) {
        let known = self.orders.get(&reserve.order_id).or(self.requested.get(&reserve.order_id));
        let known = known.expect("only an order asks for stock");
        if reserve.prices == Prices::Expected || known.prices == Prices::Set {
            return;
        }
        for line in &reserve.lines {
            let confirmed = |price| self.confirmed.contains(&(reserve.order_id, line.sku.clone(), price));
            assert!(line.unit_price.is_none_or(confirmed), "a customer's price is never taken");
        }
    }

    pub fn stock_step(&mut self, step: &Step<StockProcessor>, state: &Stock) {
        let keyed = match &step.command {
            StockCommand::Receive(command) => Some((&command.by, &command.sku, &command.idempotency)),
            StockCommand::Adjust(command) => Some((&command.by, &command.sku, &command.idempotency)),
            StockCommand::SetProduct(command) => Some((&command.by, &command.sku, &command.idempotency)),
            _ => None,
        };
        if let Some((by, sku, key)) = keyed {
            let answer = match &step.events[0] {
                StockEvent::Repeated(_) => Answer::Repeated,
                StockEvent::Rejected(rejected) => Answer::rejected(rejected),
                _ => Answer::Done,
            };
            self.check_change_key(by, sku.as_str(), key.as_ref(), answer, step.time);
        }
        check_answered(&step.command, &step.events[0]);
        for event in &step.events {
            match event {
                StockEvent::Received(changed) => self.count(&changed.sku, changed.delta, changed.levels),
                StockEvent::Adjusted(changed) => self.count(&changed.sku, changed.delta, changed.levels),
                StockEvent::ProductUpdated(updated) => {
                    self.catalogue.insert(updated.sku.clone(), (updated.unit_price, updated.currency));
                }
                StockEvent::Reserved(reserved) => self.reserved(&step.command, reserved),
                StockEvent::Released(released) => {
                    self.resolved(released.order_id, &released.lines, |levels, units| {
                        levels.available += units;
                    });
                }
                StockEvent::Shipped(shipped) => {
                    self.resolved(shipped.order_id, &shipped.lines, |levels, units| levels.shipped += units);
                    let out = self.shipped.entry(shipped.order_id).or_default();
                    for line in &shipped.lines {
                        *out.entry(line.sku.clone()).or_default() += u64::from(line.quantity);
                    }
                }
                StockEvent::Returned(returned) => self.came_back(returned),
                StockEvent::Refused(refused) => assert!(!refused.failures.is_empty()),
                StockEvent::Rejected(_) | StockEvent::Repeated(_) => {}
            }
        }
        for (sku, levels) in state.iter() {
            assert!(levels.balance(), "{sku} does not balance: {levels:?}");
            assert_eq!(levels, self.levels.get(sku).copied().unwrap_or_default(), "levels of {sku}");
        }
    }

    fn count(&mut self, sku: &Sku, delta: i64, after: Levels) {
        let levels = self.levels.entry(sku.clone()).or_default();
        let units = delta.unsigned_abs();
        if delta >= 0 {
            levels.received += units;
            levels.available += units;
        } else {
            levels.available = levels.available.checked_sub(units).expect("only what is there gets lost");
            levels.written_off += units;
        }
        assert_eq!(*levels, after);
    }

    fn reserved(&mut self, command: &StockCommand, reserved: &StockReserved) {
        let StockCommand::Reserve(reserve) = command else { panic!("{command:?} reserved") };
        let asked = reserve.lines.len();
        assert_eq!((asked, asked), (reserved.lines.len(), reserved.unit_prices.len()));
        for ((line, moved), price) in reserve.lines.iter().zip(&reserved.lines).zip(&reserved.unit_prices) {
            assert_eq!((&line.sku, line.quantity), (&moved.sku, moved.quantity));
            self.check_price(reserve, line.unit_price, &line.sku, *price);
            let levels = self.levels.get_mut(&line.sku).expect("what is held was received");
            levels.available =
                levels.available.checked_sub(line.quantity.into()).expect("nothing is sold twice");
            levels.reserved += u64::from(line.quantity);
            let held = self.held.entry(reserve.order_id).or_default();
            held.push((line.sku.clone(), line.quantity, *price));
            held.sort();
        }
        for moved in reserved.lines.chunk_by(|a, b| a.sku == b.sku).filter_map(<[Movement]>::last) {
            assert_eq!(self.levels[&moved.sku], moved.levels);
        }
    }

    fn check_price(&mut self, reserve: &Reserve, asked: Option<Amount>, sku: &Sku, price: Amount) {
        if let (Prices::Set, Some(set)) = (reserve.prices, asked) {
            assert_eq!(price, set);
            return;
        }
        assert_eq!(
            self.catalogue.get(sku),
            Some(&(price, reserve.currency)),
            "the catalogue's price is taken"
        );
        assert!(asked.is_none_or(|expected| expected == price), "nobody pays another price than they saw");
        self.confirmed.insert((reserve.order_id, sku.clone(), price));
    }

    /// Takes the lines of one partition out of the reservation. Each must be there, so none is resolved twice.
    fn resolved(&mut self, id: OrderId, lines: &[Movement], moved: impl Fn(&mut Levels, u64)) {
        let held = self.held.get_mut(&id).expect("only what is held can be resolved");
        for line in lines {
            let at =
                held.iter().position(|(sku, quantity, _)| (sku, *quantity) == (&line.sku, line.quantity));
            held.remove(at.expect("a line is resolved once"));
            let levels = self.levels.get_mut(&line.sku).expect("what is held was received");
            let units = u64::from(line.quantity);
            levels.reserved = levels.reserved.checked_sub(units).expect("no more leaves than is reserved");
            moved(levels, units);
        }
        for moved in lines.chunk_by(|a, b| a.sku == b.sku).filter_map(<[Movement]>::last) {
            assert_eq!(self.levels[&moved.sku], moved.levels);
        }
        if held.is_empty() {
            self.held.remove(&id);
        }
    }

    /// Takes back units of an order, of which no more can come back than were shipped for it.
    fn came_back(&mut self, returned: &StockReturned) {
        let out = self.shipped.get_mut(&returned.order_id).expect("what comes back was shipped");
        for line in &returned.lines {
            let units = u64::from(line.quantity);
            let left = out.get_mut(&line.sku).expect("what comes back was shipped");
            *left = left.checked_sub(units).expect("no more comes back than was shipped");
            let levels = self.levels.get_mut(&line.sku).expect("what comes back was received");
            levels.shipped -= units;
            match line.to {
                ReturnTo::Stock => levels.available += units,
                ReturnTo::WrittenOff => levels.written_off += units,
            }
            assert_eq!(*levels, line.levels);
        }
    }
}

/// Checks that stock does what orders ask for: they know what they hold and what was shipped for them.
fn check_answered(command: &StockCommand, event: &StockEvent) {
    let fits = match command {
        StockCommand::Reserve(_) => matches!(event, StockEvent::Reserved(_) | StockEvent::Refused(_)),
        StockCommand::Release(_) => matches!(event, StockEvent::Released(_)),
        StockCommand::Ship(_) => matches!(event, StockEvent::Shipped(_)),
        StockCommand::Return(_) => matches!(event, StockEvent::Returned(_)),
        _ => true,
    };
    assert!(fits, "{command:?} gave {event:?}");
}
