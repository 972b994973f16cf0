//! The rules of changes that callers ask for: who may act for which order, what comes back, and who carries it.

use std::collections::BTreeMap;

use orderflow_processors::OrderProcessor;
use orderflow_schemas::{
    Actor, Lifecycle, Order, OrderCommand, OrderEvent, OrderId, Role, Sku, StockCommand, Timestamp,
    commands::ChangeKey,
    events::{Change, OrderChanged, RejectionCode},
    lifecycle::{StockEffect, Trigger},
    returns::{ReturnTo, ReturnedUnits},
};

use super::{Model, keys::Answer};
use crate::wire::{Node, Step};

/// Units that come back, by SKU and destination.
pub(super) type Back = BTreeMap<(Sku, ReturnTo), u64>;

/// The order, the caller and the key of a command that asks for a change.
struct Asked<'a> {
    id: OrderId,
    by: &'a Actor,
    key: Option<&'a ChangeKey>,
    /// Whether the caller's role may ask for such a change at all.
    may: bool,
}

impl Model {
    /// Checks that a caller who may not act for an order changes nothing, and that repeats are answered like the first
    /// request.
    pub(super) fn check_caller(&mut self, step: &Step<OrderProcessor>, node: &Node<OrderProcessor>) {
        let lifecycle = &node.processor.lifecycle;
        let Some(asked) = asked(&step.command, lifecycle) else { return };
        let [event] = step.events.as_slice() else { panic!("a change has one event: {:?}", step.events) };
        let answer = Answer::of(event);
        let order = self.active_order(asked.id).map(|known| &known.order);
        if order.is_some_and(|order| is_of_another(order, asked.by, lifecycle)) {
            assert_eq!(answer, Answer::Rejected(RejectionCode::UnknownOrder), "{:?}", asked.by);
            assert!(step.messages.is_empty());
            return;
        }
        assert!(asked.may || matches!(answer, Answer::Rejected(_)), "{:?} may not: {event:?}", asked.by);
        let key = asked.key.filter(|_| asked.may);
        self.check_change_key(asked.by, &asked.id.to_string(), key, answer, step.time);
    }

    /// Checks that a change has its cause in the command, field by field.
    pub(super) fn check_change(
        &self,
        command: &OrderCommand,
        change: Change,
        changed: &OrderChanged,
        time: Timestamp,
        lifecycle: &Lifecycle,
    ) {
        let Some(known) = self.orders.get(&changed.order.id) else { return };
        let (before, after) = (&known.order, &changed.order);
        let courier = match command {
            OrderCommand::AssignCourier(assign) => assign.courier_id.clone(),
            _ => before.courier_id.clone(),
        };
        assert_eq!(after.courier_id, courier, "only an assignment names a courier");
        assert_eq!(changed.shipment.is_some(), matches!(command, OrderCommand::ReportShipment(_)));
        assert_eq!(after.reserve_for, before.reserve_for);
        match command {
            OrderCommand::AssignCourier(_) => {
                assert_eq!((change, &after.status), (Change::Updated, &before.status));
            }
            OrderCommand::Return(command) => {
                let back = command.lines.iter().fold(of_order(before), |mut back, units| {
                    *back.entry((units.line, units.to)).or_default() += u64::from(units.quantity);
                    back
                });
                assert_eq!(of_order(after), back, "what came back is what was asked");
                let state = lifecycle.find(before.status.as_str()).expect("orders are in states");
                assert!(lifecycle.state(state).returns, "{} takes no returns", before.status);
                let moves = is_all_back(after) && lifecycle.on_returned(state).is_some();
                assert_eq!(after.status != before.status, moves, "the last unit moves the order");
            }
            OrderCommand::Tick(_) => {
                assert!(known.due.is_some_and(|due| due <= time), "a timer moves only what is due");
            }
            _ => {}
        }
        if after.returned != before.returned && !matches!(command, OrderCommand::Return(_)) {
            let into = lifecycle.transitions().iter().filter(|transition| {
                lifecycle.state(transition.to).name == after.status
                    && transition.stock == Some(StockEffect::Return)
            });
            assert!(into.count() > 0 && is_all_back(after), "only a return takes back, and all of it");
        }
        for (line, ordered) in (1..).zip(after.lines.skus()) {
            let back = units_of_line(after, line);
            assert!(back >= units_of_line(before, line), "what came back stays back");
            assert!(back <= u64::from(ordered.quantity), "no more comes back than was ordered");
        }
    }

    /// What has come back of the orders that the command changes, before it does.
    pub(super) fn returned_before(&self, step: &Step<OrderProcessor>) -> BTreeMap<OrderId, Back> {
        let changed = step.events.iter().filter_map(|event| match event {
            OrderEvent::Changed(_, changed) => Some(changed.order.id),
            _ => None,
        });
        changed.filter_map(|id| Some((id, by_sku(&self.orders.get(&id)?.order)))).collect()
    }

    /// Checks that stock is asked to take back exactly what an order counts as returned, and did not count `before`.
    pub(super) fn check_returned(&self, step: &Step<OrderProcessor>, before: &BTreeMap<OrderId, Back>) {
        let mut counted: BTreeMap<OrderId, Back> = BTreeMap::new();
        for event in &step.events {
            let OrderEvent::Changed(_, changed) = event else { continue };
            let id = changed.order.id;
            let mut more = by_sku(&changed.order);
            for (key, units) in before.get(&id).into_iter().flatten() {
                *more.get_mut(key).expect("what came back stays back") -= units;
            }
            more.retain(|_, units| *units > 0);
            counted.insert(id, more);
        }
        counted.retain(|_, more| !more.is_empty());
        let mut sent: BTreeMap<OrderId, Back> = BTreeMap::new();
        for (_, message) in &step.messages {
            let StockCommand::Return(command) = message else { continue };
            let sent = sent.entry(command.order_id).or_default();
            for line in &command.lines {
                *sent.entry((line.sku.clone(), line.to)).or_default() += u64::from(line.quantity);
            }
        }
        assert_eq!(sent, counted, "stock is told what came back, once");
    }

    /// Checks at rest that what stock has shipped for the order and not taken back is what the order says.
    pub(super) fn check_shipped(&self, order: &Order) {
        let Some(shipped) = self.shipped.get(&order.id) else {
            assert!(order.returned.is_empty(), "nothing comes back that was not shipped");
            return;
        };
        let mut expected: BTreeMap<Sku, u64> = BTreeMap::new();
        for (line, ordered) in (1..).zip(order.lines.skus()) {
            let left = u64::from(ordered.quantity) - units_of_line(order, line);
            *expected.entry(ordered.sku.clone()).or_default() += left;
        }
        assert_eq!(shipped, &expected, "stock and order agree on what is out");
    }
}

/// Whether the actor may report events of shipments.
pub(super) fn may_report(by: &Actor) -> bool {
    matches!(by.role, Role::Courier | Role::Admin | Role::Service)
}

fn asked<'a>(command: &'a OrderCommand, lifecycle: &Lifecycle) -> Option<Asked<'a>> {
    let is_seller = |by: &Actor| matches!(by.role, Role::Admin | Role::Service);
    let (id, by, key, may) = match command {
        OrderCommand::ChangeStatus(change) => {
            let to = lifecycle.resolve(change.status.as_str(), change.by.role);
            let may = to.is_some_and(|to| lifecycle.may_enter(to, change.by.role));
            (change.order_id, &change.by, &change.idempotency, may)
        }
        OrderCommand::AssignCourier(assign) => {
            (assign.order_id, &assign.by, &assign.idempotency, is_seller(&assign.by))
        }
        OrderCommand::ReportShipment(report) => {
            (report.order_id, &report.by, &report.idempotency, may_report(&report.by))
        }
        OrderCommand::Return(command) => {
            (command.order_id, &command.by, &command.idempotency, is_seller(&command.by))
        }
        _ => return None,
    };
    Some(Asked { id, by, key: key.as_ref(), may })
}

/// Whether the order is another customer's, or one that the courier has nothing to do with.
fn is_of_another(order: &Order, by: &Actor, lifecycle: &Lifecycle) -> bool {
    let state = lifecycle.find(order.status.as_str()).expect("orders are in states");
    let by_courier = |trigger| matches!(trigger, Trigger::By(roles) if roles.contains(Role::Courier));
    let is_handed = lifecycle.transitions().iter().any(|transition| {
        by_courier(transition.trigger) && [transition.from, transition.to].contains(&state)
    });
    match by.role {
        Role::Customer => order.customer_id.as_str() != by.subject,
        Role::Courier => !is_handed || order.courier_id.as_ref().is_some_and(|named| *named != by.subject),
        _ => false,
    }
}

fn of_order(order: &Order) -> BTreeMap<(u32, ReturnTo), u64> {
    let units = |units: &ReturnedUnits| ((units.line, units.to), u64::from(units.quantity));
    order.returned.iter().map(units).collect()
}

fn units_of_line(order: &Order, line: u32) -> u64 {
    let of_line = order.returned.iter().filter(|units| units.line == line);
    of_line.map(|units| u64::from(units.quantity)).sum()
}

fn is_all_back(order: &Order) -> bool {
    (1..)
        .zip(order.lines.skus())
        .all(|(line, ordered)| units_of_line(order, line) == u64::from(ordered.quantity))
}

fn by_sku(order: &Order) -> Back {
    let mut back = Back::new();
    for units in order.returned.iter() {
        let sku = order.lines.skus()[units.line as usize - 1].sku.clone();
        *back.entry((sku, units.to)).or_default() += u64::from(units.quantity);
    }
    back
}
