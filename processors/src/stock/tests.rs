//! Tests of the stock processor, one command at a time.

mod receipts;

use orderflow_schemas::{
    Actor, Amount, CustomerId, IdempotencyKey, Levels, OrderLine, Partition, Role,
    commands::{
        ChangeKey, Fingerprint, Prices, ReceiveStock, Release, ReleaseReason, ReservationOutcome as Outcome,
        Reserve, SetProduct, Ship, ShipLine,
    },
    order::{Failure, FailureCode},
};

use super::*;

/// One partition of the stock processor, and the time of the next command.
struct Shelves {
    processor: StockProcessor,
    state: Stock,
    now: Timestamp,
}

impl Shelves {
    fn empty() -> Self {
        let partition = Partition(3);
        let processor =
            StockProcessor { partition, order_partitions: 4, change_keys_max: 10, resolved_max: 2 };
        Self { processor, state: Stock::default(), now: Timestamp::from_micros(1_000_000) }
    }

    /// Ten units of `a` for 5 EUR cents each, and ten of `b` for 7.
    fn full() -> Self {
        let mut shelves = Self::empty();
        for (name, price) in [("a", 5), ("b", 7)] {
            shelves.take(StockCommand::Receive(receive(name, 10, None)));
            shelves.take(StockCommand::SetProduct(product(name, price)));
        }
        shelves
    }

    fn take(&mut self, command: StockCommand) -> Decided {
        let decided = self.processor.decide(&self.state, &command, self.now);
        for event in &decided.events {
            self.processor.evolve(&mut self.state, event, self.now);
        }
        decided
    }

    fn reserve(&mut self, order: u128, prices: Prices, lines: &[(&str, u32, Option<u64>)]) -> Outcome {
        let line = |&(name, quantity, price): &(&str, u32, Option<u64>)| OrderLine {
            sku: sku(name),
            quantity,
            unit_price: price.map(Amount),
        };
        let lines = lines.iter().map(line).collect();
        let order_id = id(order);
        let reserve = Reserve { order_id, currency: "EUR".parse().unwrap(), prices, lines };
        let decided = self.take(StockCommand::Reserve(reserve));
        let [(to, OrderCommand::StockReply(reply))] = decided.messages.as_slice() else {
            panic!("{decided:?}")
        };
        assert_eq!((*to, reply.partition, reply.order_id), (order_id.partition(4), Partition(3), order_id));
        reply.outcome.clone()
    }

    fn refusals(&mut self, prices: Prices, lines: &[(&str, u32, Option<u64>)]) -> Vec<Failure> {
        let before = self.state.clone();
        let Outcome::Refused(failures) = self.reserve(99, prices, lines) else {
            panic!("{lines:?} are held")
        };
        assert_eq!(self.state, before, "nothing is held");
        failures
    }

    fn release(&mut self, order: u128, reason: ReleaseReason) -> StockEvent {
        one(self.take(StockCommand::Release(Release { order_id: id(order), reason })))
    }

    fn ship(&mut self, order: u128, part: Option<&[(&str, u32)]>) -> StockEvent {
        let line = |&(name, quantity): &(&str, u32)| ShipLine { sku: sku(name), quantity };
        let part = part.map(|part| part.iter().map(line).collect());
        one(self.take(StockCommand::Ship(Ship { order_id: id(order), part })))
    }

    /// The available, reserved and shipped units of a SKU.
    fn of(&self, name: &str) -> (u64, u64, u64) {
        let Levels { available, reserved, shipped, .. } = self.state.levels(name);
        (available, reserved, shipped)
    }
}

fn sku(name: &str) -> Sku {
    Sku::new(name).unwrap()
}

fn id(order: u128) -> OrderId {
    OrderId::new(uuid::Uuid::from_u128(order << 64), &CustomerId::new("ada").unwrap())
}

fn admin() -> Actor {
    Actor { role: Role::Admin, subject: "root".into() }
}

fn receive(name: &str, quantity: u32, key: Option<(&str, u128)>) -> ReceiveStock {
    let idempotency = key.map(|(key, body)| change_key(key, body));
    ReceiveStock { sku: sku(name), quantity, idempotency, by: admin() }
}

/// A key, and the number that stands for the body of the request.
fn change_key(key: &str, body: u128) -> ChangeKey {
    let (key, call) = (IdempotencyKey::new(key).unwrap(), "POST /inventory/{sku}/receipts".into());
    ChangeKey { key, call, fingerprint: Fingerprint(body) }
}

fn product(name: &str, price: u64) -> SetProduct {
    let (sku, currency) = (sku(name), "EUR".parse().unwrap());
    let unit_price = Amount(price);
    SetProduct { sku, name: "thing".into(), unit_price, currency, idempotency: None, by: admin() }
}

fn one(decided: Decided) -> StockEvent {
    assert!(decided.messages.is_empty());
    let [event] = decided.events.try_into().unwrap();
    event
}

#[track_caller]
fn refused(event: &StockEvent) -> (RejectionCode, &str) {
    let StockEvent::Rejected(rejected) = event else { panic!("{event:?}") };
    (rejected.code, &rejected.detail)
}

fn problems(failures: &[Failure]) -> Vec<(&str, FailureCode)> {
    failures.iter().map(|failure| (failure.sku.as_str(), failure.problem)).collect()
}

#[test]
fn all_lines_are_held_at_the_catalogues_prices_or_none_is() {
    let mut shelves = Shelves::full();
    let held = shelves.reserve(1, Prices::Expected, &[("a", 10, Some(5)), ("b", 3, None)]);
    assert_eq!(held, Outcome::Held(vec![Amount(5), Amount(7)]));
    assert_eq!((shelves.of("a"), shelves.of("b")), ((0, 10, 0), (7, 3, 0)));
    let failures = shelves.refusals(Prices::Expected, &[("a", 1, None), ("b", 8, None), ("c", 1, None)]);
    let short =
        [("a", FailureCode::OutOfStock), ("b", FailureCode::OutOfStock), ("c", FailureCode::OutOfStock)];
    assert_eq!(problems(&failures), short);
    assert_eq!((failures[1].requested, failures[1].available), (8, 7));
}

#[test]
fn lines_of_one_sku_are_added_up() {
    let mut shelves = Shelves::full();
    let failures = shelves.refusals(Prices::Expected, &[("a", 6, None), ("a", 5, None)]);
    assert_eq!((failures.len(), failures[0].requested, failures[0].available), (1, 11, 10));
    shelves.reserve(1, Prices::Set, &[("a", 6, Some(1)), ("a", 4, Some(2))]);
    assert_eq!(shelves.of("a"), (0, 10, 0));
    shelves.release(1, ReleaseReason::Canceled);
    assert_eq!(shelves.of("a"), (10, 0, 0));
}

#[test]
fn a_customer_pays_the_price_they_saw_or_the_order_fails() {
    let mut shelves = Shelves::full();
    shelves.take(StockCommand::Receive(receive("c", 1, None)));
    let failures = shelves.refusals(Prices::Expected, &[("a", 1, Some(4)), ("c", 1, Some(4))]);
    assert_eq!(problems(&failures), [("a", FailureCode::PriceChanged), ("c", FailureCode::PriceUnknown)]);
    assert_eq!((failures[0].unit_price, failures[1].unit_price), (Some(Amount(5)), None));
    let dollars = SetProduct { currency: "USD".parse().unwrap(), ..product("b", 7) };
    shelves.take(StockCommand::SetProduct(dollars));
    let failures = shelves.refusals(Prices::Expected, &[("b", 1, Some(7))]);
    assert_eq!(problems(&failures), [("b", FailureCode::CurrencyMismatch)]);
    assert_eq!(failures[0].currency, Some("USD".parse().unwrap()));
}

#[test]
fn a_seller_sets_a_price_or_takes_the_catalogues() {
    let mut shelves = Shelves::full();
    shelves.take(StockCommand::Receive(receive("c", 1, None)));
    let held = shelves.reserve(1, Prices::Set, &[("a", 1, Some(1)), ("b", 1, None), ("c", 1, Some(2))]);
    assert_eq!(held, Outcome::Held(vec![Amount(1), Amount(7), Amount(2)]));
}

#[test]
fn a_second_resolution_is_refused_and_names_the_first() {
    let mut shelves = Shelves::full();
    for order in 1..=3 {
        shelves.reserve(order, Prices::Expected, &[("a", 1, None)]);
    }
    shelves.release(1, ReleaseReason::Canceled);
    let again = shelves.ship(1, None);
    assert_eq!(
        refused(&again),
        (RejectionCode::ReservationResolved, "the reservation has already been released")
    );
    shelves.ship(2, None);
    let again = shelves.release(2, ReleaseReason::Expired);
    assert_eq!(
        refused(&again),
        (RejectionCode::ReservationResolved, "the reservation has already been shipped")
    );
    shelves.release(3, ReleaseReason::Expired);
    let again = shelves.release(3, ReleaseReason::Canceled);
    assert_eq!(refused(&again), (RejectionCode::ReservationResolved, "the reservation has already expired"));
    let again = shelves.ship(1, None);
    assert_eq!(refused(&again).0, RejectionCode::UnknownReservation, "only the last two are remembered");
    assert_eq!(shelves.of("a"), (9, 0, 1));
}

#[test]
fn a_part_is_shipped_and_the_rest_stays_held() {
    let mut shelves = Shelves::full();
    shelves.reserve(1, Prices::Set, &[("a", 2, Some(1)), ("a", 3, Some(2)), ("b", 4, None)]);
    let StockEvent::Shipped(shipped) = shelves.ship(1, Some(&[("a", 1), ("b", 1), ("a", 3)])) else {
        panic!()
    };
    assert_eq!(shipped.lines.len(), 3);
    assert_eq!((shelves.of("a"), shelves.of("b")), ((5, 1, 4), (6, 3, 1)));
    for wrong in [&[("a", 1), ("b", 2), ("a", 1)][..], &[("c", 1)], &[("a", 0)], &[]] {
        assert_eq!(refused(&shelves.ship(1, Some(wrong))).0, RejectionCode::MoreThanReserved, "{wrong:?}");
    }
    shelves.ship(1, Some(&[("b", 3)]));
    shelves.release(1, ReleaseReason::Canceled);
    assert_eq!((shelves.of("a"), shelves.of("b")), ((6, 0, 4), (6, 0, 4)));
    assert_eq!(shelves.state.reservations().count(), 0);
}

#[test]
fn an_order_has_one_reservation_at_a_time() {
    let mut shelves = Shelves::full();
    shelves.reserve(1, Prices::Expected, &[("a", 1, None)]);
    let (currency, lines) = ("EUR".parse().unwrap(), Vec::new());
    let twice = Reserve { order_id: id(1), currency, prices: Prices::Expected, lines };
    let twice = one(shelves.take(StockCommand::Reserve(twice)));
    assert_eq!(refused(&twice).0, RejectionCode::ReservationExists);
    shelves.release(1, ReleaseReason::Canceled);
    assert!(matches!(shelves.reserve(1, Prices::Expected, &[("a", 1, None)]), Outcome::Held(_)));
}
