//! A small processor that decides as the real processors do, as far as these tests check.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use orderflow_feed::commands_of;
use orderflow_schemas::{
    Actor, Amount, Cause, Levels, Offset, Order, OrderCommand, OrderEvent, OrderId, Payload, RawRecord,
    Record, RecordHeader, Source, Status, StockCommand, StockEvent, Topic, TopicPartition,
    commands::{ChangeKey, ChangeStatus, Fingerprint, PlaceOrder},
    events::{
        CatalogueEntry, Change, CommandRejected, OrderChanged, OrderRepeated, ProductUpdated, RejectionCode,
        StockChanged, StockRepeated,
    },
    order::{Failure, FailureCode},
};
use orderflow_topics::Batch;

/// An order that asks for this many units or more is out of stock.
pub const SHORT_FROM: u32 = 100;

/// The orders of all partitions.
#[derive(Default)]
pub struct Processor {
    orders: HashMap<OrderId, Arc<Order>>,
    keys: HashMap<String, (OrderId, u128)>,
    /// The keys of changes, with the digest of the request, and the code if it was rejected.
    change_keys: HashMap<String, (Fingerprint, Option<RejectionCode>)>,
}

/// The name of a key of a change: its scope and its text.
fn scoped(by: &Actor, key: &ChangeKey, object: &str) -> String {
    [by.role.as_str(), &by.subject, &key.call, object, key.key.as_str()].join(" ")
}

impl Processor {
    /// The events of commands. Topics of events lead to none.
    pub fn decide_all(&mut self, commands: &Batch, first: Offset) -> Vec<Batch> {
        if !matches!(commands.topic_partition.topic, Topic::OrdersCommands | Topic::StockCommands) {
            return Vec::new();
        }
        let decided = (first.0..).zip(&commands.records);
        let decided = decided
            .flat_map(|(offset, record)| self.decide(commands.topic_partition, Offset(offset), record));
        decided.map(|(topic_partition, record)| Batch { topic_partition, records: vec![record] }).collect()
    }

    /// The events of a command, each with its partition.
    fn decide(
        &mut self,
        topic_partition: TopicPartition,
        offset: Offset,
        record: &[u8],
    ) -> Vec<(TopicPartition, Bytes)> {
        let raw = RawRecord::decode(record).unwrap();
        let cause = Cause { offset, source: raw.header.source.clone(), number: raw.header.number };
        let partition = topic_partition.partition;
        if topic_partition.topic == Topic::StockCommands {
            let to = TopicPartition { topic: Topic::StockEvents, partition };
            let command = StockCommand::decode(&raw.kind, raw.data).unwrap();
            return vec![(to, event(to, &raw.header, cause, self.stock(command)))];
        }
        let to = TopicPartition { topic: Topic::OrdersEvents, partition };
        let events = match OrderCommand::decode(&raw.kind, raw.data).unwrap() {
            OrderCommand::Place(command) => self.place(command, &cause),
            OrderCommand::ChangeStatus(command) => vec![(cause, self.change(command))],
            _ => Vec::new(),
        };
        events.into_iter().map(|(cause, decided)| (to, event(to, &raw.header, cause, decided))).collect()
    }

    fn place(&mut self, command: PlaceOrder, cause: &Cause) -> Vec<(Cause, OrderEvent)> {
        if let Some(known) = command.idempotency.as_ref().and_then(|known| self.keys.get(known.key.as_str()))
        {
            let same = command.idempotency.as_ref().unwrap().fingerprint.0 == known.1;
            return vec![(cause.clone(), self.again(&command, known.0, same))];
        }
        let failures: Vec<_> =
            command.lines.skus().iter().filter(|line| line.quantity >= SHORT_FROM).map(short).collect();
        let (change, status) =
            if failures.is_empty() { (Change::Reserved, "RESERVED") } else { (Change::Failed, "FAILED") };
        let created = order(&command);
        let mut decided = created.clone();
        decided.version = 2;
        decided.status = Status::new(status).unwrap();
        decided.fail_reason = (!failures.is_empty()).then(|| "out-of-stock".into());
        decided.failures = failures.into();
        if let Some(idempotency) = &command.idempotency {
            self.keys.insert(idempotency.key.as_str().into(), (created.id, idempotency.fingerprint.0));
        }
        if change == Change::Reserved {
            self.orders.insert(decided.id, Arc::new(decided.clone()));
        }
        let reply = Cause {
            offset: Offset(cause.offset.0 + 1000),
            source: Source::new("stock.commands/0").unwrap(),
            number: 1,
        };
        vec![(cause.clone(), changed(Change::Created, created)), (reply, changed(change, decided))]
    }

    fn again(&self, command: &PlaceOrder, first: OrderId, same: bool) -> OrderEvent {
        if !same {
            return rejected("order.place", RejectionCode::IdempotencyKeyReused, None);
        }
        let order = self.orders.get(&first).cloned();
        OrderEvent::Repeated(OrderRepeated {
            requested: command.order_id,
            order_id: first,
            order,
            declined: None,
        })
    }

    fn change(&mut self, command: ChangeStatus) -> OrderEvent {
        let key = command.idempotency.as_ref();
        let key = key.map(|key| (scoped(&command.by, key, &command.order_id.to_string()), key.fingerprint));
        if let Some((key, fingerprint)) = &key
            && let Some((first, code)) = self.change_keys.get(key)
        {
            let (order_id, order) = (command.order_id, self.orders.get(&command.order_id).cloned());
            let version = order.as_ref().map(|order| order.version);
            return match code {
                _ if first != fingerprint => {
                    rejected("order.change_status", RejectionCode::IdempotencyKeyReused, version)
                }
                Some(code) => again(rejected("order.change_status", *code, version)),
                None => OrderEvent::Repeated(OrderRepeated {
                    requested: order_id,
                    order_id,
                    order,
                    declined: None,
                }),
            };
        }
        let event = self.change_first(command);
        let outcome = match &event {
            OrderEvent::Rejected(rejected) => Some(rejected.code),
            _ => None,
        };
        if let Some((key, fingerprint)) = key.filter(|_| outcome != Some(RejectionCode::UnknownOrder)) {
            self.change_keys.insert(key, (fingerprint, outcome));
        }
        event
    }

    fn change_first(&mut self, command: ChangeStatus) -> OrderEvent {
        let Some(known) = self.orders.get(&command.order_id) else {
            return rejected("order.change_status", RejectionCode::UnknownOrder, None);
        };
        if command.is_stale(known.version) {
            return rejected("order.change_status", RejectionCode::StaleVersion, Some(known.version));
        }
        if command.status.as_str() == "DELIVERED" {
            return rejected("order.change_status", RejectionCode::IllegalTransition, Some(known.version));
        }
        let next = Order { version: known.version + 1, status: command.status, ..Order::clone(known) };
        if next.status.as_str() == "CANCELED" {
            self.orders.remove(&next.id);
            return changed(Change::Canceled, next);
        }
        self.orders.insert(next.id, Arc::new(next.clone()));
        changed(Change::Updated, next)
    }

    fn stock(&mut self, command: StockCommand) -> StockEvent {
        let StockCommand::SetProduct(product) = &command else { return stock(command) };
        let Some(key) = &product.idempotency else { return stock(command) };
        let (name, fingerprint) = (scoped(&product.by, key, product.sku.as_str()), key.fingerprint);
        match self.change_keys.get(&name) {
            None => {
                self.change_keys.insert(name, (fingerprint, None));
                stock(command)
            }
            Some((first, _)) if *first == fingerprint => {
                let (sku, unit_price, currency) = (product.sku.clone(), product.unit_price, product.currency);
                let product = Some(CatalogueEntry { name: product.name.clone(), unit_price, currency });
                StockEvent::Repeated(StockRepeated { sku, levels: Levels::default(), product })
            }
            Some(_) => {
                StockEvent::Rejected(refusal("product.set", RejectionCode::IdempotencyKeyReused, None))
            }
        }
    }
}

fn event<T: Payload>(
    topic_partition: TopicPartition,
    command: &RecordHeader,
    cause: Cause,
    data: T,
) -> Bytes {
    let source = Source::processor(commands_of(topic_partition).unwrap());
    let header = RecordHeader { source, number: 1, cause: Some(cause), ..command.clone() };
    Record { header, data }.encode()
}

fn changed(change: Change, order: Order) -> OrderEvent {
    let by = Actor::SYSTEM;
    let (order, holding) = (Arc::new(order), Default::default());
    let event =
        OrderChanged { order, from: None, holding, due: None, key: None, reason: None, shipment: None, by };
    OrderEvent::Changed(change, event)
}

fn rejected(command: &str, code: RejectionCode, version: Option<u64>) -> OrderEvent {
    OrderEvent::Rejected(refusal(command, code, version))
}

/// The rejection, now of a repeat.
fn again(event: OrderEvent) -> OrderEvent {
    match event {
        OrderEvent::Rejected(rejected) => {
            OrderEvent::Rejected(CommandRejected { repeated: true, ..rejected })
        }
        other => other,
    }
}

fn refusal(command: &str, code: RejectionCode, version: Option<u64>) -> CommandRejected {
    let allowed = (code == RejectionCode::IllegalTransition).then(|| vec![Status::new("ACCEPTED").unwrap()]);
    let (command, detail) = (command.into(), "no".to_owned());
    CommandRejected {
        command,
        code,
        detail,
        order_id: None,
        sku: None,
        allowed,
        version,
        key: None,
        repeated: false,
    }
}

fn short(line: &orderflow_schemas::OrderLine) -> Failure {
    Failure {
        sku: line.sku.clone(),
        problem: FailureCode::OutOfStock,
        requested: line.quantity,
        available: 5,
        unit_price: None,
        currency: None,
    }
}

fn order(command: &PlaceOrder) -> Order {
    Order {
        id: command.order_id,
        customer_id: command.customer_id.clone(),
        status: Status::new("CREATED").unwrap(),
        version: 1,
        currency: command.currency,
        total: Some(Amount(0)),
        lines: command.lines.clone(),
        channel: None,
        notes: None,
        fail_reason: None,
        failures: Arc::new([]),
        idempotency_key: command.idempotency.as_ref().map(|idempotency| idempotency.key.clone()),
        placed_at: Default::default(),
        created_at: Default::default(),
        updated_at: Default::default(),
        reserve_for: None,
        courier_id: None,
        acted_by: None,
        acted_at: None,
        returned: Arc::default(),
    }
}

fn stock(command: StockCommand) -> StockEvent {
    let levels = |received| Levels { received, available: received, ..Levels::default() };
    match command {
        StockCommand::Receive(command) => StockEvent::Received(StockChanged {
            delta: command.quantity.into(),
            levels: levels(command.quantity.into()),
            sku: command.sku,
            reason: None,
            key: None,
            by: command.by,
        }),
        StockCommand::SetProduct(command) => StockEvent::ProductUpdated(ProductUpdated {
            sku: command.sku,
            name: command.name,
            unit_price: command.unit_price,
            currency: command.currency,
            levels: levels(0),
            key: None,
            by: command.by,
        }),
        _ => StockEvent::Rejected(refusal("stock.adjust", RejectionCode::NegativeStock, None)),
    }
}
