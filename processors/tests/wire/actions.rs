//! Random actions of clients, sellers, couriers and clocks.

use std::{sync::Arc, time::Duration};

use orderflow_schemas::{
    Actor, Amount, Currency, CustomerId, IdempotencyKey, Lifecycle, Order, OrderCommand, OrderId, OrderLine,
    Partition, Role, RoutingHash, Sku, Status, StockCommand, Timestamp,
    commands::{
        AdjustStock, ChangeKey, ChangeStatus, Fingerprint, Idempotency, PlaceOrder, ReceiveStock, SetProduct,
        Tick,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::Index};

use super::Wire;

const SKUS: u8 = 5;
const CUSTOMERS: u8 = 3;

/// The number of an idempotency key, and the number of the request content that it comes with.
type Key = Option<(u8, u8)>;

#[derive(Clone, Debug)]
pub enum Action {
    Place {
        customer: u8,
        role: Role,
        lines: Vec<(u8, u32, Option<u64>)>,
        currency: &'static str,
        key: Key,
    },
    /// A status change. A sensible one is about an active order and asks for a transition that its role may make, if
    /// there is one.
    Change {
        order: Index,
        word: Index,
        sensible: bool,
        role: Role,
        own: bool,
        version: Option<u64>,
        key: Key,
    },
    Receive {
        sku: u8,
        quantity: u32,
        key: Key,
    },
    Adjust {
        sku: u8,
        delta: i64,
        key: Key,
    },
    SetProduct {
        sku: u8,
        price: u64,
        currency: &'static str,
        key: Key,
    },
    Wait {
        seconds: u64,
    },
    Tick,
    Deliver {
        choices: Vec<u8>,
    },
}

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![
        4 => Just(Role::Customer),
        2 => Just(Role::Admin),
        1 => Just(Role::Service),
        2 => Just(Role::Courier),
    ]
}

fn currency() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => Just("EUR"), 1 => Just("USD")]
}

fn key() -> impl Strategy<Value = Key> {
    option::weighted(0.3, (0..3u8, 0..2u8))
}

fn place() -> impl Strategy<Value = Action> {
    // Two prices close to each other, so that an expected price is often right, and one that makes any total too large.
    let price = option::weighted(0.6, prop_oneof![20 => Just(10), 4 => Just(11), 1 => Just(u64::MAX / 2)]);
    let lines = vec((0..SKUS, 1..4u32, price), 1..6);
    (0..CUSTOMERS, role(), lines, currency(), key()).prop_map(|(customer, role, lines, currency, key)| {
        Action::Place { customer, role, lines, currency, key }
    })
}

fn change() -> impl Strategy<Value = Action> {
    let (sensible, own) = (prop::bool::weighted(0.8), prop::bool::weighted(0.9));
    let version = option::weighted(0.1, 1..4u64);
    (any::<Index>(), any::<Index>(), sensible, role(), own, version, key()).prop_map(
        |(order, word, sensible, role, own, version, key)| Action::Change {
            order,
            word,
            sensible,
            role,
            own,
            version,
            key,
        },
    )
}

fn action() -> impl Strategy<Value = Action> {
    let wait = prop_oneof![Just(1), Just(3_600), Just(86_400), Just(8 * 86_400)];
    prop_oneof![
        6 => place(),
        10 => change(),
        5 => (0..SKUS, 0..12u32, key()).prop_map(|(sku, quantity, key)| Action::Receive { sku, quantity, key }),
        2 => (0..SKUS, -5..5i64, key()).prop_map(|(sku, delta, key)| Action::Adjust { sku, delta, key }),
        4 => (0..SKUS, prop_oneof![3 => Just(10), 1 => Just(11u64)], currency(), key())
            .prop_map(|(sku, price, currency, key)| Action::SetProduct { sku, price, currency, key }),
        1 => wait.prop_map(|seconds| Action::Wait { seconds }),
        1 => Just(Action::Tick),
        8 => vec(any::<u8>(), 1..20).prop_map(|choices| Action::Deliver { choices }),
    ]
}

/// The actions of one day in the shop. Usually it opens with stock on the shelves, since otherwise little would be
/// sold.
pub fn actions() -> impl Strategy<Value = Vec<Action>> {
    let shelves = (0..SKUS).flat_map(|sku| {
        [
            Action::Receive { sku, quantity: 20, key: None },
            Action::SetProduct { sku, price: 10, currency: "EUR", key: None },
        ]
    });
    let shelves: Vec<Action> = shelves.collect();
    let opened =
        prop::bool::weighted(0.8).prop_map(move |open| if open { shelves.clone() } else { Vec::new() });
    (opened, vec(action(), 1..100)).prop_map(|(mut opened, actions)| {
        opened.extend(actions);
        opened
    })
}

fn sku(number: u8) -> Sku {
    Sku::new(format!("sku-{number}")).expect("a short word is a SKU")
}

fn customer(number: u8) -> CustomerId {
    CustomerId::new(format!("customer-{number}")).expect("a short word is a customer")
}

fn actor(role: Role, customer: &CustomerId) -> Actor {
    let subject = if role == Role::Customer { customer.as_str() } else { role.as_str() };
    Actor { role, subject: subject.into() }
}

fn idempotency(key: Key) -> Option<Idempotency> {
    let (key, body) = key?;
    let key = IdempotencyKey::new(format!("key-{key}")).expect("a short word is a key");
    Some(Idempotency { key, fingerprint: Fingerprint(body.into()) })
}

fn change_key(key: Key, call: &str) -> Option<ChangeKey> {
    let Idempotency { key, fingerprint } = idempotency(key)?;
    Some(ChangeKey { key, call: call.into(), fingerprint })
}

fn money(code: &str) -> Currency {
    code.parse().expect("the code is of ISO 4217")
}

/// Performs the actions in order and gives ids and times to the commands.
pub struct Story {
    lifecycle: Arc<Lifecycle>,
    /// The words that an order can be asked to become: the lifecycle's states, two words of couriers, and an unknown
    /// word.
    words: Vec<Status>,
    placed: Vec<(OrderId, CustomerId)>,
    now: Timestamp,
}

impl Story {
    /// A story under this lifecycle, in which no action has happened.
    pub fn new(lifecycle: Arc<Lifecycle>) -> Self {
        let others =
            ["picked_up", "delivered", "nonsense"].map(|word| Status::new(word).expect("a word is a name"));
        let words = lifecycle.states().map(|(_, state)| state.name.clone()).chain(others).collect();
        let now = Timestamp::from_micros(1_700_000_000_000_000);
        Self { lifecycle, words, placed: Vec::new(), now }
    }

    pub fn act(&mut self, wire: &mut Wire, action: &Action) {
        self.now = self.now.plus(Duration::from_micros(1));
        match action {
            Action::Wait { seconds } => self.now = self.now.plus(Duration::from_secs(*seconds)),
            Action::Tick => {
                for partition in 0..wire.orders.len() {
                    let to = Partition(u16::try_from(partition).expect("there are few partitions"));
                    wire.send_order(to, OrderCommand::Tick(Tick {}), self.now);
                }
            }
            Action::Deliver { choices } => {
                for choice in choices {
                    wire.step(*choice);
                }
            }
            Action::Place { .. } | Action::Change { .. } => self.ask_orders(wire, action),
            Action::Receive { .. } | Action::Adjust { .. } | Action::SetProduct { .. } => {
                self.ask_stock(wire, action);
            }
        }
    }

    fn ask_orders(&mut self, wire: &mut Wire, action: &Action) {
        let (id, command) = match action {
            Action::Place { customer: number, role, lines, currency, key } => {
                let customer_id = customer(*number);
                let fresh = uuid::Uuid::from_u128((self.placed.len() as u128 + 1) << 64);
                let order_id = OrderId::new(fresh, &customer_id);
                self.placed.push((order_id, customer_id.clone()));
                let line = |(number, quantity, price): &(u8, u32, Option<u64>)| OrderLine {
                    sku: sku(*number),
                    quantity: *quantity,
                    unit_price: price.map(Amount),
                };
                let place = PlaceOrder {
                    order_id,
                    by: actor(*role, &customer_id),
                    customer_id,
                    currency: Some(money(currency)),
                    lines: lines.iter().map(line).collect::<Vec<_>>().into(),
                    channel: None,
                    notes: None,
                    placed_at: None,
                    reserve_for: None,
                    idempotency: idempotency(*key),
                };
                (order_id, OrderCommand::Place(place))
            }
            Action::Change { order, word, sensible, role, own, version, key } => {
                let Some((order_id, owner, status)) = self.wish(wire, *order, *word, *role, *sensible) else {
                    return;
                };
                let by = if *own { actor(*role, &owner) } else { actor(*role, &customer(99)) };
                let change = ChangeStatus {
                    order_id,
                    status,
                    if_match: version.map(|version| vec![version]),
                    reason: None,
                    idempotency: change_key(*key, "PATCH /orders/{id}/status"),
                    by,
                };
                (order_id, OrderCommand::ChangeStatus(change))
            }
            _ => return,
        };
        let partitions = u16::try_from(wire.orders.len()).expect("there are few partitions");
        wire.send_order(id.partition(partitions), command, self.now);
    }

    /// An order, its owner, and the status to ask for.
    fn wish(
        &self,
        wire: &Wire,
        order: Index,
        word: Index,
        role: Role,
        sensible: bool,
    ) -> Option<(OrderId, CustomerId, Status)> {
        let active: Vec<&Order> = wire.model.active().collect();
        if sensible && !active.is_empty() {
            let order = order.get(&active);
            let from = self.lifecycle.find(order.status.as_str()).expect("orders are in states");
            let allowed = self.lifecycle.allowed(from, role);
            let words = if allowed.is_empty() { &self.words } else { &allowed };
            return Some((order.id, order.customer_id.clone(), word.get(words).clone()));
        }
        let (id, owner) = (!self.placed.is_empty()).then(|| order.get(&self.placed).clone())?;
        Some((id, owner, word.get(&self.words).clone()))
    }

    fn ask_stock(&mut self, wire: &mut Wire, action: &Action) {
        let by = Actor { role: Role::Admin, subject: "admin".into() };
        let (sku, command) = match action.clone() {
            Action::Receive { sku: number, quantity, key } => {
                let (sku, idempotency) = (sku(number), change_key(key, "receive"));
                (sku.clone(), StockCommand::Receive(ReceiveStock { sku, quantity, idempotency, by }))
            }
            Action::Adjust { sku: number, delta, key } => {
                let (sku, idempotency, reason) = (sku(number), change_key(key, "adjust"), "counted".into());
                (sku.clone(), StockCommand::Adjust(AdjustStock { sku, delta, reason, idempotency, by }))
            }
            Action::SetProduct { sku: number, price, currency, key } => {
                let (sku, unit_price, currency) = (sku(number), Amount(price), money(currency));
                let (name, idempotency) = ("thing".into(), change_key(key, "set"));
                let product = SetProduct { sku: sku.clone(), name, unit_price, currency, idempotency, by };
                (sku, StockCommand::SetProduct(product))
            }
            _ => return,
        };
        let partitions = u16::try_from(wire.stock.len()).expect("there are few partitions");
        wire.send_stock(RoutingHash::of(sku.as_str()).partition(partitions), command, self.now);
    }
}
