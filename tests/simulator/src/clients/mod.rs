//! Clients: they place, change and cancel orders, report shipments, take back what was shipped, and receive and adjust
//! stock. They repeat a request under the same key when they got no answer.

mod shipments;
mod stock;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use bytes::Bytes;
use orderflow_ingest::DecidedEvent;
use orderflow_schemas::{
    Actor, Currency, CustomerId, IdempotencyKey, Order, OrderCommand, OrderEvent, OrderId, OrderLine,
    Payload, RawRecord, Role, Sku, StockEvent, Topic, TopicPartition,
    commands::{ChangeKey, ChangeStatus, Fingerprint, Idempotency, PlaceOrder},
};

use crate::{
    check::{Checked, Orders, Truth, broken},
    ingest::{Answer, Command, RequestId},
    plan::{Plan, Trade},
};

const CUSTOMERS: usize = 6;
const SKUS: usize = 5;

/// A request that a client has sent.
#[derive(Clone, Debug)]
struct Request {
    topic_partition: TopicPartition,
    command: Command,
}

/// Checks that the acknowledged command is durable at the offset in the answer, and that the decision in the answer
/// is a durable event.
fn check_acknowledged(command: &Command, answer: &Answer, truth: &Truth) -> Checked {
    let Answer::Acknowledged { topic_partition, offset, source, number, decision } = answer else {
        return Ok(());
    };
    let record = usize::try_from(offset.0).ok().and_then(|offset| truth.of(*topic_partition).get(offset));
    let raw = record.and_then(|record| RawRecord::decode(record).ok());
    let is_it = raw.is_some_and(|raw| {
        raw.header.source == *source
            && raw.header.number == *number
            && raw.kind == command.kind()
            && raw.data.as_bytes() == command.json()
    });
    if !is_it {
        return broken(format!("{topic_partition} offset {offset}: acknowledged, and not durable"));
    }
    let Some(decision) = decision else { return Ok(()) };
    let topic =
        if topic_partition.topic == Topic::StockCommands { Topic::StockEvents } else { Topic::OrdersEvents };
    let events = truth.of(TopicPartition { topic, partition: topic_partition.partition });
    let is_decided = |bytes: &Bytes| {
        let Ok(raw) = RawRecord::decode(bytes) else { return false };
        let answers = raw.header.cause.as_ref().is_some_and(|cause| cause.offset == decision.cause);
        answers
            && match &decision.event {
                DecidedEvent::Order(event) => {
                    OrderEvent::decode(&raw.kind, raw.data).is_ok_and(|read| read == **event)
                }
                DecidedEvent::Stock(event) => {
                    StockEvent::decode(&raw.kind, raw.data).is_ok_and(|read| read == **event)
                }
            }
    };
    if events.iter().rev().any(is_decided) {
        return Ok(());
    }
    broken(format!("{topic_partition} offset {offset}: the client was told a decision that is not durable"))
}

/// All clients of a run, with their requests and answers.
pub struct Clients {
    rng: fastrand::Rng,
    order_partitions: u16,
    stock_partitions: u16,
    trade: Trade,
    /// Whether requests ask for how long to hold stock.
    asks_for_time: bool,
    statuses: Vec<String>,
    waiting: BTreeMap<RequestId, Request>,
    /// Requests without an answer, each of which may be repeated later.
    unanswered: Vec<Request>,
    acknowledged: Vec<Answer>,
    keys: BTreeSet<(CustomerId, IdempotencyKey)>,
    /// The last change of an order under a key that was acknowledged. Clients repeat such changes now and then.
    acknowledged_change: Option<Request>,
    requests: u64,
}

impl Clients {
    /// Clients of a system with this plan and these names of states.
    pub fn new(seed: u64, plan: &Plan, statuses: Vec<String>) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            order_partitions: plan.order_partitions,
            stock_partitions: plan.stock_partitions,
            trade: plan.trade,
            asks_for_time: plan.trade == Trade::Shipments && plan.has_short_timers(),
            statuses,
            waiting: BTreeMap::new(),
            unanswered: Vec::new(),
            acknowledged: Vec::new(),
            keys: BTreeSet::new(),
            acknowledged_change: None,
            requests: 0,
        }
    }

    /// Makes a new request or repeats one. Returns its number, its partition and its command.
    pub fn ask(&mut self, orders: &Orders) -> (RequestId, TopicPartition, Command) {
        let again = !self.unanswered.is_empty() && self.rng.u8(..3) == 0;
        let request = if again {
            let index = self.rng.usize(..self.unanswered.len());
            let request = self.unanswered.swap_remove(index);
            self.again(request)
        } else {
            self.make(orders)
        };
        self.requests += 1;
        self.waiting.insert(self.requests, request.clone());
        (self.requests, request.topic_partition, request.command)
    }

    /// The process has ended: the waiting requests get no answer any more.
    pub fn lose_connection(&mut self) {
        self.unanswered.extend(std::mem::take(&mut self.waiting).into_values());
    }

    /// Receives answers, and checks that everything acknowledged is durable.
    pub fn take(&mut self, answers: BTreeMap<RequestId, Answer>, truth: &Truth) -> Checked {
        for (request, answer) in answers {
            let Some(request) = self.waiting.remove(&request) else { continue };
            let Answer::Acknowledged { .. } = &answer else {
                // A client that does not know the outcome of its request may repeat it.
                if answer == Answer::Unknown {
                    self.unanswered.push(request);
                }
                continue;
            };
            check_acknowledged(&request.command, &answer, truth)?;
            match &request.command {
                Command::Order(OrderCommand::Place(place)) => {
                    let key = place.idempotency.as_ref().map(|idempotency| idempotency.key.clone());
                    self.keys.extend(key.map(|key| (place.customer_id.clone(), key)));
                }
                command if is_keyed_change(command) => self.acknowledged_change = Some(request),
                _ => {}
            }
            self.acknowledged.push(answer);
        }
        Ok(())
    }

    /// The number of requests that wait for an answer.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// All acknowledgements so far.
    pub fn acknowledged(&self) -> &[Answer] {
        &self.acknowledged
    }

    /// The keys under which the placing of an order was acknowledged.
    pub fn keys(&self) -> impl Iterator<Item = &(CustomerId, IdempotencyKey)> {
        self.keys.iter()
    }

    fn make(&mut self, orders: &Orders) -> Request {
        if self.trade != Trade::Orders {
            if let Some(request) = self.open_shop() {
                return request;
            }
            if self.rng.bool() {
                return self.ship(orders);
            }
        }
        match self.rng.u8(..20) {
            0..9 => self.place(),
            9..14 => {
                let change = self.change(orders);
                let again = self.rng.u8(..4) == 0;
                self.acknowledged_change.clone().filter(|_| again).unwrap_or(change)
            }
            14..17 => self.receive(),
            17 => self.adjust(),
            18 => self.price(),
            _ => Request { topic_partition: self.any_input(), command: Command::Garbage },
        }
    }

    /// The same request again, as ingest would encode it: with a new order id under the same key.
    fn again(&mut self, mut request: Request) -> Request {
        if let Command::Order(OrderCommand::Place(place)) = &mut request.command {
            place.order_id = OrderId::new(uuid::Uuid::from_u128(self.rng.u128(..)), &place.customer_id);
        }
        request
    }

    fn any_input(&mut self) -> TopicPartition {
        if self.rng.bool() {
            TopicPartition::new(Topic::OrdersCommands, self.rng.u16(..self.order_partitions))
        } else {
            TopicPartition::new(Topic::StockCommands, self.rng.u16(..self.stock_partitions))
        }
    }

    fn place(&mut self) -> Request {
        let customer_id =
            CustomerId::new(format!("customer-{}", self.rng.usize(..CUSTOMERS))).expect("a name");
        let order_id = OrderId::new(uuid::Uuid::from_u128(self.rng.u128(..)), &customer_id);
        let mut skus = BTreeSet::new();
        for _ in 0..self.rng.usize(1..=3) {
            // The first SKU is the hot one.
            skus.insert(self.rng.usize(..SKUS).min(self.rng.usize(..SKUS)));
        }
        let line = |n: usize| OrderLine { sku: sku(n), quantity: self.rng.u32(1..6), unit_price: None };
        let lines = skus.into_iter().map(line).collect::<Vec<_>>().into();
        let key = self.rng.u16(..400);
        let idempotency = (self.rng.u8(..4) > 0).then(|| Idempotency {
            key: IdempotencyKey::new(format!("key-{key}")).expect("a name"),
            // A few requests have another body under the same key, and must be rejected.
            fingerprint: Fingerprint(u128::from(self.rng.u8(..10) == 0)),
        });
        let by = Actor { role: Role::Customer, subject: customer_id.as_str().into() };
        let place = PlaceOrder {
            order_id,
            customer_id,
            currency: Some(eur()),
            lines,
            channel: Some("web".into()),
            notes: None,
            placed_at: None,
            reserve_for: if self.asks_for_time { self.time() } else { None },
            idempotency,
            by,
        };
        self.order(order_id, OrderCommand::Place(place))
    }

    fn change(&mut self, orders: &Orders) -> Request {
        let Some(order) = self.any_order(orders) else { return self.place() };
        let (order_id, version) = (order.id, order.version);
        let wanted = self.rng.usize(..self.statuses.len());
        let status = self.statuses[wanted].parse().expect("a state has a name");
        let if_match = (self.rng.u8(..4) == 0).then(|| vec![version]);
        let role = [Role::Admin, Role::Service, Role::Courier, Role::Customer][self.rng.usize(..4)];
        let subject = match role {
            Role::Courier => self.courier_of(order),
            _ => order.customer_id.as_str().into(),
        };
        let by = Actor { role, subject };
        let idempotency = self.change_key("PATCH /orders/{id}/status", 3, wanted as u128);
        let reason = Some("so it is".into());
        let change = ChangeStatus { order_id, status, if_match, reason, idempotency, by };
        self.order(order_id, OrderCommand::ChangeStatus(change))
    }

    /// One of the orders. The newest are preferred, since most older ones are over.
    fn any_order<'a>(&mut self, orders: &'a Orders) -> Option<&'a Arc<Order>> {
        let count = orders.iter().count();
        if count == 0 {
            return None;
        }
        let index = count - 1 - self.rng.usize(..count).min(self.rng.usize(..count));
        orders.iter().nth(index)
    }

    fn order(&self, id: OrderId, command: OrderCommand) -> Request {
        let partition = id.partition(self.order_partitions);
        let topic_partition = TopicPartition { topic: Topic::OrdersCommands, partition };
        Request { topic_partition, command: Command::Order(command) }
    }

    /// For how many seconds to hold stock; `None` in half of the requests.
    fn time(&mut self) -> Option<u32> {
        self.rng.bool().then(|| self.rng.u32(1..300))
    }

    /// One of a few keys of a call, in half of the requests. `body` stands for the content of the request.
    fn change_key(&mut self, call: &str, keys: u16, body: u128) -> Option<ChangeKey> {
        let key = format!("change-{}", self.rng.u16(..keys));
        self.rng.bool().then(|| ChangeKey {
            key: IdempotencyKey::new(key).expect("a name"),
            call: call.into(),
            fingerprint: Fingerprint(body),
        })
    }
}

/// Whether the command is a change of an order under a key.
fn is_keyed_change(command: &Command) -> bool {
    match command {
        Command::Order(OrderCommand::ChangeStatus(command)) => command.idempotency.is_some(),
        Command::Order(OrderCommand::AssignCourier(command)) => command.idempotency.is_some(),
        Command::Order(OrderCommand::ReportShipment(command)) => command.idempotency.is_some(),
        Command::Order(OrderCommand::Return(command)) => command.idempotency.is_some(),
        _ => false,
    }
}

fn sku(n: usize) -> Sku {
    Sku::new(format!("sku-{n}")).expect("a name")
}

fn eur() -> Currency {
    "EUR".parse().expect("a currency")
}

fn admin() -> Actor {
    Actor { role: Role::Admin, subject: "admin".into() }
}
