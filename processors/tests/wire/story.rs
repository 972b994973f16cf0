//! Performs actions, and gives ids, times and callers to the commands.

use std::{sync::Arc, time::Duration};

use compact_str::{CompactString, format_compact};
use orderflow_schemas::{
    Actor, Amount, Currency, CustomerId, IdempotencyKey, ItemLine, Lifecycle, Lines, Order, OrderCommand,
    OrderId, OrderLine, Partition, Role, RoutingHash, ShipmentEvent, Sku, Status, StockCommand, Timestamp,
    commands::{
        AdjustStock, AssignCourier, ChangeKey, ChangeStatus, Fingerprint, Idempotency, PlaceOrder,
        ReceiveStock, ReportShipment, ReturnOrder, SetProduct, Tick,
    },
};
use proptest::sample::Index;

use super::{
    Wire,
    actions::{Action, Key},
};

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
            Action::Restart => wire.restart(),
            Action::Deliver { choices } => {
                for choice in choices {
                    wire.step(*choice);
                }
            }
            Action::Place { .. } => self.place(wire, action),
            Action::Change { .. } | Action::Report { .. } | Action::Assign { .. } | Action::Return { .. } => {
                if let Some(command) = self.request(wire, action) {
                    self.send(wire, command);
                }
            }
            Action::Receive { .. } | Action::Adjust { .. } | Action::SetProduct { .. } => {
                self.ask_stock(wire, action);
            }
        }
    }

    fn place(&mut self, wire: &mut Wire, action: &Action) {
        let Action::Place { customer: number, role, lines, currency, reserve_for, key } = action else {
            return;
        };
        let customer_id = customer(*number);
        let fresh = uuid::Uuid::from_u128((self.placed.len() as u128 + 1) << 64);
        let order_id = OrderId::new(fresh, &customer_id);
        self.placed.push((order_id, customer_id.clone()));
        let is_for_items = self.lifecycle.items().is_some();
        let place = PlaceOrder {
            order_id,
            by: actor(*role, &customer_id),
            customer_id,
            currency: (!is_for_items).then(|| money(currency)),
            lines: if is_for_items { items(lines) } else { skus(lines) },
            channel: None,
            notes: None,
            placed_at: None,
            reserve_for: reserve_for.filter(|_| self.lifecycle.reserve_for().is_some()),
            idempotency: idempotency(*key),
        };
        self.send(wire, (order_id, OrderCommand::Place(place)));
    }

    fn send(&self, wire: &mut Wire, (id, command): (OrderId, OrderCommand)) {
        let partitions = u16::try_from(wire.orders.len()).expect("there are few partitions");
        wire.send_order(id.partition(partitions), command, self.now);
    }

    /// The command of an action about an order, and the order; `None` if there is no order.
    fn request(&self, wire: &Wire, action: &Action) -> Option<(OrderId, OrderCommand)> {
        match action {
            Action::Change { order, word, sensible, role, own, version, key } => {
                let (target, status) = self.wish(wire, *order, *word, *role, *sensible)?;
                let change = ChangeStatus {
                    order_id: target.id,
                    status,
                    if_match: version.map(|version| vec![version]),
                    reason: None,
                    idempotency: change_key(*key, "PATCH /orders/{id}/status"),
                    by: target.actor(*role, *own),
                };
                Some((target.id, OrderCommand::ChangeStatus(change)))
            }
            Action::Report { order, status, sensible, is_over, role, own, key } => {
                let target = self.target(wire, *order, |_| *sensible)?;
                let (carrier, event_id) = (Some("a carrier".into()), None);
                let (tracking_number, location, occurred_at) = (None, None, None);
                let event = ShipmentEvent {
                    status: *status,
                    carrier,
                    tracking_number,
                    location,
                    occurred_at,
                    event_id,
                };
                let (by, order_id) = (target.actor(*role, *own), target.id);
                let idempotency = change_key(*key, "POST /shipments/{id}/events");
                let report = ReportShipment { order_id, event, is_over: *is_over, idempotency, by };
                Some((order_id, OrderCommand::ReportShipment(report)))
            }
            Action::Assign { order, courier: number, role, version, key } => {
                let target = self.target(wire, *order, |_| true)?;
                let assign = AssignCourier {
                    order_id: target.id,
                    courier_id: number.map(courier),
                    if_match: version.map(|version| vec![version]),
                    idempotency: change_key(*key, "PUT /orders/{id}/courier"),
                    by: target.actor(*role, true),
                };
                Some((target.id, OrderCommand::AssignCourier(assign)))
            }
            Action::Return { order, lines, sensible, role, version, key } => {
                let takes_returns = |order: &Order| {
                    let state = self.lifecycle.find(order.status.as_str()).expect("orders are in states");
                    *sensible && self.lifecycle.state(state).returns
                };
                let target = self.target(wire, *order, takes_returns)?;
                let command = ReturnOrder {
                    order_id: target.id,
                    lines: lines.clone(),
                    reason: None,
                    if_match: version.map(|version| vec![version]),
                    idempotency: change_key(*key, "POST /orders/{id}/returns"),
                    by: target.actor(*role, true),
                };
                Some((target.id, OrderCommand::Return(command)))
            }
            _ => None,
        }
    }

    /// One of the active orders that are wanted, otherwise any order that was ever placed.
    fn target(&self, wire: &Wire, order: Index, is_wanted: impl Fn(&Order) -> bool) -> Option<Target> {
        let active: Vec<&Order> = wire.model.active().filter(|order| is_wanted(order)).collect();
        if !active.is_empty() {
            let Order { id, customer_id, courier_id, status, .. } = order.get(&active);
            let (owner, courier, status) = (customer_id.clone(), courier_id.clone(), Some(status.clone()));
            return Some(Target { id: *id, owner, courier, status });
        }
        let (id, owner) = (!self.placed.is_empty()).then(|| order.get(&self.placed).clone())?;
        Some(Target { id, owner, courier: None, status: None })
    }

    /// An order, and the status to ask for.
    fn wish(
        &self,
        wire: &Wire,
        order: Index,
        word: Index,
        role: Role,
        sensible: bool,
    ) -> Option<(Target, Status)> {
        let target = self.target(wire, order, |_| sensible)?;
        let from = target.status.as_ref().and_then(|status| self.lifecycle.find(status.as_str()));
        let allowed = from.map(|from| self.lifecycle.allowed(from, role)).unwrap_or_default();
        let words = if allowed.is_empty() { &self.words } else { &allowed };
        Some((target, word.get(words).clone()))
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

/// An order that a request is about.
struct Target {
    id: OrderId,
    owner: CustomerId,
    /// The courier that the order names.
    courier: Option<CompactString>,
    /// The state of the order, if it is active.
    status: Option<Status>,
}

impl Target {
    /// The order's own customer or courier, a seller, or somebody who has nothing to do with the order.
    fn actor(&self, role: Role, own: bool) -> Actor {
        let courier = || self.courier.clone().unwrap_or_else(|| courier(0));
        match (role, own) {
            (Role::Courier, true) => Actor { role, subject: courier() },
            (Role::Courier, false) => Actor { role, subject: "another".into() },
            (_, true) => actor(role, &self.owner),
            (_, false) => actor(role, &customer(99)),
        }
    }
}

fn skus(lines: &[(u8, u32, Option<u64>)]) -> Lines {
    let line = |(number, quantity, price): &(u8, u32, Option<u64>)| OrderLine {
        sku: sku(*number),
        quantity: *quantity,
        unit_price: price.map(Amount),
    };
    lines.iter().map(line).collect::<Vec<_>>().into()
}

fn items(lines: &[(u8, u32, Option<u64>)]) -> Lines {
    let item = |(number, quantity, _): &(u8, u32, Option<u64>)| ItemLine {
        item: format_compact!("item {number}"),
        quantity: *quantity,
    };
    lines.iter().map(item).collect::<Vec<_>>().into()
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

fn courier(number: u8) -> CompactString {
    format_compact!("courier-{number}")
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
