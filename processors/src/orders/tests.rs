//! Tests of the order processor, one command at a time.

mod change_keys;
mod changes;
mod requested;
mod returns;
mod shipments;
mod timers;

use orderflow_schemas::{
    Amount, CustomerId, IdempotencyKey, Role, Sku, Status,
    commands::{
        ChangeStatus, Fingerprint, Idempotency, PlaceOrder, ReservationOutcome as Outcome, StockReply, Tick,
    },
    events::{Change, OrderChanged},
    order::{Actor, Failure, FailureCode},
};

use super::*;

const TRACKING: &str = include_str!("../../../pipelines/order-tracking.toml");
const DELIVERY: &str = include_str!("../../../pipelines/delivery.toml");
const STOCK_PARTITIONS: u16 = 2;

/// One partition of the order processor, and the time of the next command.
struct Shop {
    processor: OrderProcessor,
    state: Orders,
    now: Timestamp,
}

impl Shop {
    fn new(lifecycle: &str) -> Self {
        let lifecycle = Arc::new(Lifecycle::parse(lifecycle).unwrap());
        let stock_partitions = STOCK_PARTITIONS;
        let processor = OrderProcessor { lifecycle, stock_partitions, keys_max: 10, change_keys_max: 10 };
        Self { processor, state: Orders::default(), now: Timestamp::from_micros(1_000_000) }
    }

    fn take(&mut self, command: OrderCommand) -> Decided {
        // A state that was restored from a snapshot decides and folds the same.
        let snapshot = postcard::to_stdvec(&self.state).unwrap();
        let mut recovered: Orders = postcard::from_bytes(&snapshot).unwrap();
        let decided = self.processor.decide(&self.state, &command, self.now);
        assert_eq!(self.processor.decide(&recovered, &command, self.now), decided);
        for event in &decided.events {
            self.processor.evolve(&mut self.state, event, self.now);
            self.processor.evolve(&mut recovered, event, self.now);
        }
        assert_eq!(recovered, self.state);
        assert_eq!(self.processor.incompatibility(&recovered), self.processor.incompatibility(&self.state));
        decided
    }

    fn place(&mut self, place: PlaceOrder) -> Decided {
        self.take(OrderCommand::Place(place))
    }

    fn reply(&mut self, partition: u16, outcome: Outcome) -> Decided {
        let reply = StockReply { order_id: id(), partition: Partition(partition), outcome };
        self.take(OrderCommand::StockReply(reply))
    }

    fn change(&mut self, by: Actor, status: &str) -> Decided {
        let status = Status::new(status).unwrap();
        let change =
            ChangeStatus { order_id: id(), status, if_match: None, reason: None, idempotency: None, by };
        self.take(OrderCommand::ChangeStatus(change))
    }

    /// A shop in which parcels are delivered, with one order of two lines that waits to be shipped.
    fn delivering() -> Self {
        let mut shop = Self::new(DELIVERY);
        shop.place(placing(&[(&sku(0), 3, None), (&sku(1), 2, None)]));
        shop.reply(0, Outcome::Held(vec![Amount(10)]));
        shop.reply(1, Outcome::Held(vec![Amount(20)]));
        shop
    }

    /// A shop with one reserved order of one line.
    fn reserved() -> Self {
        let mut shop = Self::new(TRACKING);
        shop.place(placing(&[(&sku(0), 1, None)]));
        shop.reply(0, Outcome::Held(vec![Amount(10)]));
        shop
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now.plus(std::time::Duration::from_secs(seconds));
    }
}

fn customer() -> CustomerId {
    CustomerId::new("ada").unwrap()
}

fn by(role: Role) -> Actor {
    Actor { role, subject: "ada".into() }
}

fn id() -> OrderId {
    OrderId::new(uuid::Uuid::from_u128(7 << 64), &customer())
}

/// A SKU that this stock partition counts.
fn sku(partition: u16) -> String {
    let at = |sku: &String| RoutingHash::of(sku).partition(STOCK_PARTITIONS) == Partition(partition);
    (0..).map(|number| format!("sku-{number}")).find(at).unwrap()
}

fn placing(lines: &[(&str, u32, Option<u64>)]) -> PlaceOrder {
    let line = |&(sku, quantity, price): &(&str, u32, Option<u64>)| OrderLine {
        sku: Sku::new(sku).unwrap(),
        quantity,
        unit_price: price.map(Amount),
    };
    PlaceOrder {
        order_id: id(),
        customer_id: customer(),
        currency: Some("EUR".parse().unwrap()),
        lines: lines.iter().map(line).collect::<Vec<_>>().into(),
        channel: None,
        notes: None,
        placed_at: None,
        reserve_for: None,
        idempotency: None,
        by: by(Role::Customer),
    }
}

fn short(sku: &str, problem: FailureCode) -> Failure {
    let sku = Sku::new(sku).unwrap();
    Failure { sku, problem, requested: 2, available: 1, unit_price: None, currency: None }
}

#[track_caller]
fn changed(decided: &Decided) -> (Change, &OrderChanged) {
    let [OrderEvent::Changed(change, changed)] = decided.events.as_slice() else { panic!("{decided:?}") };
    (*change, changed)
}

#[track_caller]
fn refusal(decided: &Decided) -> (RejectionCode, &CommandRejected) {
    assert!(decided.messages.is_empty());
    let [OrderEvent::Rejected(rejected)] = decided.events.as_slice() else { panic!("{decided:?}") };
    (rejected.code, rejected)
}

fn release(partition: u16, reason: ReleaseReason) -> (Partition, StockCommand) {
    (Partition(partition), StockCommand::Release(Release { order_id: id(), reason }))
}

#[test]
fn an_order_is_asked_of_each_stock_partition_once_with_lines_of_a_sku_together() {
    let mut shop = Shop::new(TRACKING);
    let (here, there) = (sku(0), sku(1));
    let decided = shop.place(placing(&[(&there, 1, Some(5)), (&here, 1, None), (&there, 2, None)]));
    assert_eq!(changed(&decided).0, Change::Created);
    let [(Partition(0), StockCommand::Reserve(one)), (Partition(1), StockCommand::Reserve(two))] =
        decided.messages.as_slice()
    else {
        panic!("{decided:?}")
    };
    assert_eq!((one.lines.len(), two.lines.len()), (1, 2));
    assert_eq!((two.prices, two.lines[0].unit_price), (Prices::Expected, Some(Amount(5))));
}

#[test]
fn prices_come_from_stock_and_stand_at_their_lines() {
    let mut shop = Shop::new(TRACKING);
    let (here, there) = (sku(0), sku(1));
    let placed = shop.place(placing(&[(&there, 1, Some(30)), (&here, 4, None), (&there, 2, None)]));
    assert!(changed(&placed).1.order.lines.skus().iter().all(|line| line.unit_price.is_none()));
    let first = shop.reply(1, Outcome::Held(vec![Amount(30), Amount(31)]));
    assert!(matches!(first.events[..], [OrderEvent::StockReplied(_)]));
    let decided = shop.reply(0, Outcome::Held(vec![Amount(7)]));
    let (change, changed) = changed(&decided);
    let prices: Vec<_> = changed.order.lines.skus().iter().map(|line| line.unit_price.unwrap().0).collect();
    assert_eq!((change, prices), (Change::Reserved, vec![30, 7, 31]));
    assert_eq!((changed.order.total, changed.order.version), (Some(Amount(30 + 28 + 62)), 2));
}

#[test]
fn one_refusal_fails_the_order_names_all_that_was_short_and_releases_the_rest() {
    let mut shop = Shop::new(TRACKING);
    let (here, there) = (sku(0), sku(1));
    shop.place(placing(&[(&here, 2, None), (&there, 2, None)]));
    shop.reply(1, Outcome::Held(vec![Amount(1)]));
    let decided = shop.reply(0, Outcome::Refused(vec![short(&here, FailureCode::PriceChanged)]));
    let (change, failed) = changed(&decided);
    assert_eq!((change, failed.order.fail_reason.as_deref()), (Change::Failed, Some("price-changed")));
    assert_eq!(decided.messages, [release(1, ReleaseReason::Failed)]);

    shop.place(placing(&[(&there, 2, None), (&here, 2, None)]));
    shop.reply(0, Outcome::Refused(vec![short(&here, FailureCode::PriceChanged)]));
    let decided = shop.reply(1, Outcome::Refused(vec![short(&there, FailureCode::OutOfStock)]));
    let (_, failed) = changed(&decided);
    let named: Vec<_> = failed.order.failures.iter().map(|failure| failure.sku.as_str()).collect();
    assert_eq!((named, failed.order.fail_reason.as_deref()), (vec![&*there, &*here], Some("out-of-stock")));
    assert_eq!((decided.messages.len(), shop.state.active_len()), (0, 0));
}

#[test]
fn a_total_that_no_amount_can_hold_fails_the_order_and_releases_it() {
    let mut shop = Shop::new(TRACKING);
    shop.place(placing(&[(&sku(0), 1_000_000, None)]));
    let decided = shop.reply(0, Outcome::Held(vec![Amount::PRICE_MAX]));
    let (change, failed) = changed(&decided);
    assert_eq!((change, failed.order.failures[0].problem), (Change::Failed, FailureCode::TotalTooLarge));
    assert_eq!(decided.messages, [release(0, ReleaseReason::Failed)]);
}

#[test]
fn only_sellers_set_prices() {
    for role in [Role::Customer, Role::Courier, Role::Analyst, Role::Admin, Role::Service] {
        let decided =
            Shop::new(TRACKING).place(PlaceOrder { by: by(role), ..placing(&[(&sku(0), 2, Some(3))]) });
        let StockCommand::Reserve(reserve) = &decided.messages[0].1 else { panic!("{decided:?}") };
        let sets = matches!(role, Role::Admin | Role::Service);
        assert_eq!(reserve.prices == Prices::Set, sets, "{role:?}");
        assert_eq!(changed(&decided).1.order.total, sets.then_some(Amount(6)), "{role:?}");
    }
}

#[test]
fn a_reply_nobody_waits_for_is_refused() {
    let mut shop = Shop::new(TRACKING);
    let held = || Outcome::Held(vec![Amount(1)]);
    assert_eq!(refusal(&shop.reply(0, held())).0, RejectionCode::UnexpectedReply, "unknown order");
    shop.place(placing(&[(&sku(0), 1, None), (&sku(1), 1, None)]));
    shop.reply(0, held());
    assert_eq!(refusal(&shop.reply(0, held())).0, RejectionCode::UnexpectedReply, "second answer");
    shop.reply(1, held());
    assert_eq!(refusal(&shop.reply(1, held())).0, RejectionCode::UnexpectedReply, "reserved already");

    let mut shop = Shop::new(TRACKING);
    shop.place(placing(&[(&sku(0), 1, None)]));
    assert_eq!(refusal(&shop.reply(1, held())).0, RejectionCode::UnexpectedReply, "not asked");
}

#[test]
fn the_same_key_gives_the_same_order_for_a_day_and_another_body_is_refused() {
    let mut shop = Shop::new(TRACKING);
    let keyed = |body| {
        let idempotency =
            Idempotency { key: IdempotencyKey::new("k").unwrap(), fingerprint: Fingerprint(body) };
        PlaceOrder { idempotency: Some(idempotency), ..placing(&[(&sku(0), 1, None)]) }
    };
    shop.place(keyed(1));
    let repeat = shop.place(keyed(1));
    let [OrderEvent::Repeated(repeated)] = repeat.events.as_slice() else { panic!("{repeat:?}") };
    assert_eq!((repeated.order_id, repeated.order.is_some(), repeat.messages.len()), (id(), true, 0));
    assert_eq!(refusal(&shop.place(keyed(2))).0, RejectionCode::IdempotencyKeyReused);
    let unkeyed = shop.place(placing(&[(&sku(0), 1, None)]));
    assert_eq!(refusal(&unkeyed).0, RejectionCode::OrderExists);
    shop.reply(0, Outcome::Refused(vec![short(&sku(0), FailureCode::OutOfStock)]));
    assert!(matches!(shop.place(keyed(1)).events[..], [OrderEvent::Repeated(_)]), "also once it has ended");
    shop.wait(24 * 3600 + 1);
    assert_eq!(changed(&shop.place(keyed(2))).0, Change::Created);
}
