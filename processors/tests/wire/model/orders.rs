//! The rules of orders: versions count, an order is reserved as a whole, and what has ended stays as it is.

use std::{collections::BTreeMap, time::Duration};

use orderflow_processors::OrderProcessor;
use orderflow_schemas::{
    Amount, Lifecycle, Order, OrderCommand, OrderEvent, OrderId, Role, Timestamp,
    commands::{PlaceOrder, Prices},
    events::{Change, Holding, OrderChanged},
    lifecycle::{Trigger, Visible},
};

use super::{KnownOrder, Model, changes, lines_of};
use crate::wire::Step;

impl Model {
    /// Takes one event of a command.
    pub(super) fn order_event(
        &mut self,
        step: &Step<OrderProcessor>,
        event: &OrderEvent,
        lifecycle: &Lifecycle,
    ) {
        match event {
            OrderEvent::Changed(change, changed) => {
                self.check_change(&step.command, *change, changed, step.time, lifecycle);
                self.order_changed(&step.command, *change, changed, step.time, lifecycle);
            }
            OrderEvent::Requested(requested) => {
                let OrderCommand::Place(place) = &step.command else { panic!("{:?} requests", step.command) };
                let order = Order::clone(&requested.order);
                assert_eq!((order.version, lifecycle.visible()), (0, Visible::Reserved));
                assert_eq!(requested.by, place.by);
                assert!(!self.orders.contains_key(&order.id));
                let prices = prices_of(&order, place);
                let known = KnownOrder { order, holding: Holding::Asked, due: None, ended: false, prices };
                assert!(self.requested.insert(requested.order.id, known).is_none());
            }
            OrderEvent::Declined(declined) => {
                assert!(matches!(step.command, OrderCommand::StockReply(_)));
                assert!(!declined.failures.is_empty(), "an order that is declined names what was short");
                assert!(self.requested.remove(&declined.order_id).is_some(), "only a request is declined");
                self.declined.insert(declined.order_id, declined.code);
            }
            OrderEvent::ShipmentRecorded(recorded) => {
                let OrderCommand::ReportShipment(report) = &step.command else { panic!("{recorded:?}") };
                assert!(report.is_over && changes::may_report(&report.by));
                assert!(self.active_order(recorded.order_id).is_none(), "it is over");
                assert!(!self.requested.contains_key(&recorded.order_id), "it has not begun");
            }
            OrderEvent::Repeated(repeated) => {
                let there = repeated.order.as_ref().map(|order| Order::clone(order));
                let requested = self.requested.get(&repeated.order_id);
                let requested = requested.filter(|_| matches!(step.command, OrderCommand::Place(_)));
                let known = self.active_order(repeated.order_id).or(requested);
                assert_eq!(there.as_ref(), known.map(|known| &known.order), "a repeat has the order of now");
            }
            OrderEvent::StockReplied(_) | OrderEvent::Ticked(_) | OrderEvent::Rejected(_) => {}
        }
    }

    fn order_changed(
        &mut self,
        command: &OrderCommand,
        change: Change,
        changed: &OrderChanged,
        time: Timestamp,
        lifecycle: &Lifecycle,
    ) {
        let (order, id) = (&changed.order, changed.order.id);
        assert!(!self.declined.contains_key(&id), "an order that was declined does not exist");
        let requested = self.requested.remove(&id);
        assert!(requested.is_none() || (change, changed.holding) == (Change::Created, Holding::Held));
        let before = self.orders.get(&id);
        assert_eq!(order.version, before.map_or(1, |before| before.order.version + 1), "versions count");
        assert_eq!(changed.from.as_ref(), before.map(|before| &before.order.status));
        assert!(before.is_none_or(|before| !before.ended), "what has ended does not change");
        assert_eq!(order.updated_at, time);
        check_total(order);
        if changed.holding == Holding::Held {
            assert_eq!(self.held.get(&id), Some(&lines_of(order)), "a reserved order's lines are all held");
            assert!(order.total.is_some());
            assert!(order.fail_reason.is_none() && order.failures.is_empty());
        }
        if change == Change::Failed && matches!(command, OrderCommand::StockReply(_)) {
            assert!(!order.failures.is_empty(), "an order that stock refused names what was short");
        }
        let prices = match (before.or(requested.as_ref()), command) {
            (Some(before), _) => before.prices,
            (None, OrderCommand::Place(place)) => prices_of(order, place),
            (None, other) => panic!("an order came to be by {other:?}"),
        };
        let ended = matches!(change, Change::Completed | Change::Failed | Change::Canceled);
        assert!(
            !ended || matches!(changed.holding, Holding::Nothing | Holding::Shipped),
            "an order that ended has nothing with stock"
        );
        check_due(before, changed, time, lifecycle);
        let (holding, due) = (changed.holding, changed.due);
        let known = KnownOrder { order: Order::clone(order), holding, due, ended, prices };
        self.orders.insert(id, known);
    }

    /// The order with this id, if readers see it and it has not ended.
    pub(super) fn active_order(&self, id: OrderId) -> Option<&KnownOrder> {
        self.orders.get(&id).filter(|known| !known.ended)
    }

    /// Checks what must be true of orders once no command is in flight, and returns the units that each SKU has reserved.
    pub(super) fn orders_at_rest(&self) -> BTreeMap<&orderflow_schemas::Sku, u64> {
        let mut reserved = BTreeMap::new();
        assert!(self.requested.is_empty(), "no request waits for ever");
        for (id, known) in &self.orders {
            assert_ne!(known.holding, Holding::Asked, "no order waits for ever");
            let expected = (known.holding == Holding::Held).then(|| lines_of(&known.order));
            assert_eq!(self.held.get(id), expected.as_ref(), "stock holds what the order says");
            for line in known.order.lines.skus().iter().filter(|_| known.holding == Holding::Held) {
                *reserved.entry(&line.sku).or_default() += u64::from(line.quantity);
            }
            self.check_shipped(&known.order);
        }
        assert!(self.declined.keys().all(|id| !self.held.contains_key(id) && !self.shipped.contains_key(id)));
        reserved
    }
}

/// Checks that the total is the sum of the lines.
fn check_total(order: &Order) {
    let lines = order.lines.skus().iter();
    let prices: Option<Vec<u128>> =
        lines.map(|line| Some(u128::from(line.unit_price?.0) * u128::from(line.quantity))).collect();
    let sum = prices.map(|prices| prices.into_iter().sum::<u128>());
    let sum = sum.filter(|sum| *sum <= u128::from(Amount::TOTAL_MAX.0) && order.lines.items().is_empty());
    assert_eq!(order.total.map(|total| u128::from(total.0)), sum, "the total is the sum of the lines");
}

/// Checks that a timer runs if the state has one, and since the order came to the state.
fn check_due(before: Option<&KnownOrder>, changed: &OrderChanged, time: Timestamp, lifecycle: &Lifecycle) {
    let order = &changed.order;
    let state = lifecycle.find(order.status.as_str()).expect("orders are in states");
    let asked = order.reserve_for.map(|seconds| Duration::from_secs(seconds.into()));
    let timer = lifecycle.transitions().iter().filter(|transition| transition.from == state);
    let mut timer = timer.filter_map(|transition| match transition.trigger {
        Trigger::After(time) => Some(time),
        Trigger::ReservationEnds => Some(asked.unwrap_or(lifecycle.reserve_for()?.default)),
        _ => None,
    });
    let since_now = timer.next().filter(|_| changed.holding != Holding::Asked).map(|after| time.plus(after));
    let stays = before.filter(|before| {
        before.order.status == order.status && before.holding == changed.holding && changed.due == before.due
    });
    assert!(stays.is_some() || changed.due == since_now, "{changed:?} should be due at {since_now:?}");
}

/// Whose prices the lines of a new order have.
fn prices_of(order: &Order, place: &PlaceOrder) -> Prices {
    if matches!(place.by.role, Role::Admin | Role::Service) {
        return Prices::Set;
    }
    assert!(order.lines.skus().iter().all(|line| line.unit_price.is_none()), "what is expected is no price");
    Prices::Expected
}
