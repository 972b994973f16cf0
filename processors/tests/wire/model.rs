//! The rules of orders and stock, written independently of the processors and checked against every event they write.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use orderflow_processors::{OrderProcessor, Processor, StockProcessor, stock::Stock};
use orderflow_schemas::{
    Actor, Amount, Currency, Levels, Order, OrderCommand, OrderEvent, OrderId, Role, Sku, StockCommand,
    StockEvent, Timestamp,
    commands::{ChangeKey, Fingerprint, PlaceOrder, Prices, Reserve},
    events::{Change, CommandRejected, Holding, Movement, OrderChanged, RejectionCode, StockReserved},
};

use super::{Node, Step, Wire};

const DAY: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone)]
struct KnownOrder {
    order: Order,
    holding: Holding,
    ended: bool,
    prices: Prices,
}

/// The SKU of a line of an order, its units, and the price of one unit.
type Line = (Sku, u32, Amount);

/// The role and the subject of the caller, the call, the order or SKU, and the key.
type ScopedKey = (Role, String, String, String, String);

/// The answer to a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Done,
    Repeated,
    Rejected(RejectionCode),
    RejectedAgain(RejectionCode),
}

impl Answer {
    fn rejected(rejected: &CommandRejected) -> Self {
        if rejected.repeated { Self::RejectedAgain(rejected.code) } else { Self::Rejected(rejected.code) }
    }
}

#[derive(Default, Clone)]
pub struct Model {
    orders: BTreeMap<OrderId, KnownOrder>,
    keys: BTreeMap<(String, String), (Timestamp, Fingerprint, OrderId)>,
    change_keys: BTreeMap<ScopedKey, (Timestamp, Fingerprint, Answer)>,
    levels: BTreeMap<Sku, Levels>,
    catalogue: BTreeMap<Sku, (Amount, Currency)>,
    held: BTreeMap<OrderId, Vec<Line>>,
    confirmed: BTreeSet<(OrderId, Sku, Amount)>,
}

impl Model {
    pub fn order_step(&mut self, step: &Step<OrderProcessor>, node: &Node<OrderProcessor>) {
        if let OrderCommand::Place(place) = &step.command {
            self.check_key(place, &step.events[0], step.time);
        }
        if let OrderCommand::ChangeStatus(change) = &step.command {
            let answer = match &step.events[0] {
                OrderEvent::Changed(..) => Answer::Done,
                OrderEvent::Repeated(_) => Answer::Repeated,
                OrderEvent::Rejected(rejected) => Answer::rejected(rejected),
                other => panic!("a change gave {other:?}"),
            };
            let lifecycle = &node.processor.lifecycle;
            let to = lifecycle.resolve(change.status.as_str(), change.by.role);
            let may = to.is_some_and(|to| lifecycle.may_enter(to, change.by.role));
            let key = change.idempotency.as_ref().filter(|_| may);
            self.check_change_key(&change.by, &change.order_id.to_string(), key, answer, step.time);
        }
        for event in &step.events {
            if let OrderEvent::Changed(change, changed) = event {
                self.order_changed(&step.command, *change, changed, step.time);
                let found = node.state.get(changed.order.id);
                let ended = self.orders[&changed.order.id].ended;
                assert_eq!(found.is_none(), ended, "an order in a final state leaves memory, another stays");
            }
        }
        for (_, message) in &step.messages {
            if let StockCommand::Reserve(reserve) = message {
                self.check_asked_prices(reserve);
            }
        }
        if matches!(step.command, OrderCommand::Tick(_)) {
            let due = node.processor.next_due(&node.state);
            assert!(due.is_none_or(|due| due > step.time), "a tick leaves nothing due");
        }
    }

    /// The orders that have not ended, each as of its latest event.
    pub fn active(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|known| !known.ended).map(|known| &known.order)
    }

    fn check_key(&mut self, place: &PlaceOrder, event: &OrderEvent, time: Timestamp) {
        let Some(idempotency) = &place.idempotency else { return };
        let key = (place.customer_id.to_string(), idempotency.key.to_string());
        let known = self.keys.get(&key).filter(|(since, ..)| since.plus(DAY) >= time);
        match (known, event) {
            (None, OrderEvent::Changed(Change::Created, _)) => {
                self.keys.insert(key, (time, idempotency.fingerprint, place.order_id));
            }
            (Some((_, print, id)), OrderEvent::Repeated(repeated)) => {
                assert_eq!((*print, *id), (idempotency.fingerprint, repeated.order_id));
            }
            (Some((_, print, _)), OrderEvent::Rejected(rejected)) => {
                assert_eq!(rejected.code, RejectionCode::IdempotencyKeyReused);
                assert_ne!(*print, idempotency.fingerprint);
            }
            (known, event) => panic!("key {key:?}, known as {known:?}, gave {event:?}"),
        }
    }

    /// The first request under a key is remembered with its outcome, and repeats get that.
    fn check_change_key(
        &mut self,
        by: &Actor,
        object: &str,
        key: Option<&ChangeKey>,
        answer: Answer,
        time: Timestamp,
    ) {
        let Some(ChangeKey { key, call, fingerprint }) = key else {
            assert!(!matches!(answer, Answer::Repeated | Answer::RejectedAgain(_)), "nothing is repeated");
            return;
        };
        let (subject, call) = (by.subject.to_string(), call.to_string());
        let key = (by.role, subject, call, object.to_owned(), key.to_string());
        let known = self.change_keys.get(&key).filter(|(since, ..)| since.plus(DAY) >= time);
        match (known, answer) {
            (None, Answer::Rejected(RejectionCode::Forbidden | RejectionCode::UnknownOrder)) => {}
            (None, Answer::Done | Answer::Rejected(_)) => {
                self.change_keys.insert(key, (time, *fingerprint, answer));
            }
            (Some((_, print, Answer::Done)), Answer::Repeated) => assert_eq!(print, fingerprint),
            (Some((_, print, Answer::Rejected(first))), Answer::RejectedAgain(code)) => {
                assert_eq!((print, first), (fingerprint, &code));
            }
            (Some((_, print, _)), Answer::Rejected(RejectionCode::IdempotencyKeyReused)) => {
                assert_ne!(print, fingerprint);
            }
            (known, answer) => panic!("key {key:?}, known as {known:?}, gave {answer:?}"),
        }
    }

    fn order_changed(
        &mut self,
        command: &OrderCommand,
        change: Change,
        changed: &OrderChanged,
        time: Timestamp,
    ) {
        let (order, id) = (&changed.order, changed.order.id);
        let before = self.orders.get(&id);
        assert_eq!(order.version, before.map_or(1, |before| before.order.version + 1), "versions count");
        assert_eq!(changed.from.as_ref(), before.map(|before| &before.order.status));
        assert!(before.is_none_or(|before| !before.ended), "what has ended does not change");
        assert_eq!(order.updated_at, time);
        let prices: Option<Vec<u128>> = order
            .lines
            .skus()
            .iter()
            .map(|line| Some(u128::from(line.unit_price?.0) * u128::from(line.quantity)))
            .collect();
        let sum = prices.map(|prices| prices.into_iter().sum::<u128>());
        let sum = sum.filter(|sum| *sum <= u128::from(Amount::TOTAL_MAX.0));
        assert_eq!(order.total.map(|total| u128::from(total.0)), sum, "the total is the sum of the lines");
        if changed.holding == Holding::Held {
            assert_eq!(self.held.get(&id), Some(&lines_of(order)), "a reserved order's lines are all held");
            assert!(order.total.is_some());
            assert!(order.fail_reason.is_none() && order.failures.is_empty());
        }
        if change == Change::Failed && matches!(command, OrderCommand::StockReply(_)) {
            assert!(!order.failures.is_empty(), "an order that stock refused names what was short");
        }
        let prices = match (before, command) {
            (Some(before), _) => before.prices,
            (None, OrderCommand::Place(place)) => self.created(order, place),
            (None, other) => panic!("an order came to be by {other:?}"),
        };
        let ended = matches!(change, Change::Completed | Change::Failed | Change::Canceled);
        assert!(!ended || changed.holding == Holding::Nothing, "an order that ended has nothing with stock");
        let known = KnownOrder { order: Order::clone(order), holding: changed.holding, ended, prices };
        self.orders.insert(id, known);
    }

    fn created(&self, order: &Order, place: &PlaceOrder) -> Prices {
        if matches!(place.by.role, Role::Admin | Role::Service) {
            return Prices::Set;
        }
        assert!(
            order.lines.skus().iter().all(|line| line.unit_price.is_none()),
            "what is expected is no price"
        );
        Prices::Expected
    }

    /// Checks the prices in a `stock.reserve` that are marked as set. If the order was placed in a role that may not
    /// set prices, the catalogue has confirmed each of them before.
    fn check_asked_prices(&self, reserve: &Reserve) {
        if reserve.prices == Prices::Expected || self.orders[&reserve.order_id].prices == Prices::Set {
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
                }
                StockEvent::Returned(returned) => panic!("nothing is returned: {returned:?}"),
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

    /// Checks what must be true once no command is in flight.
    pub fn at_rest(&self, wire: &Wire) {
        let mut reserved: BTreeMap<&Sku, u64> = BTreeMap::new();
        for (id, known) in &self.orders {
            assert_ne!(known.holding, Holding::Asked, "no order waits for ever");
            let expected = (known.holding == Holding::Held).then(|| lines_of(&known.order));
            assert_eq!(self.held.get(id), expected.as_ref(), "stock holds what the order says");
            for line in known.order.lines.skus().iter().filter(|_| known.holding == Holding::Held) {
                *reserved.entry(&line.sku).or_default() += u64::from(line.quantity);
            }
        }
        for (sku, levels) in &self.levels {
            assert_eq!(levels.reserved, reserved.get(sku).copied().unwrap_or_default(), "reserved of {sku}");
        }
        let active: usize = wire.orders.iter().map(|node| node.state.active_len()).sum();
        assert_eq!(active, self.orders.values().filter(|known| !known.ended).count());
        let held: BTreeMap<OrderId, u64> = wire.stock.iter().flat_map(|node| node.state.reservations()).fold(
            BTreeMap::new(),
            |mut sums, (id, units)| {
                *sums.entry(id).or_default() += units;
                sums
            },
        );
        let expected =
            self.held.iter().map(|(id, lines)| (*id, lines.iter().map(|line| u64::from(line.1)).sum()));
        assert_eq!(held, expected.collect());
    }
}

fn lines_of(order: &Order) -> Vec<Line> {
    let line = |line: &orderflow_schemas::OrderLine| {
        (line.sku.clone(), line.quantity, line.unit_price.expect("a reserved line has a price"))
    };
    let mut lines: Vec<Line> = order.lines.skus().iter().map(line).collect();
    lines.sort();
    lines
}
