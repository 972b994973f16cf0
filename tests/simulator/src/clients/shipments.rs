//! What happens to orders after they are reserved: couriers are named and report, and units come back.

use compact_str::{CompactString, format_compact};
use orderflow_schemas::{
    Actor, Order, OrderCommand, Role, ShipmentEvent, ShipmentStatus,
    commands::{AssignCourier, ReportShipment, ReturnOrder},
    returns::{ReturnTo, ReturnedUnits},
};

use super::{Clients, Request, admin};
use crate::{check::Orders, plan::Trade};

const COURIERS: u8 = 2;

impl Clients {
    /// A report, an assignment or a return. What was delivered mostly comes back, so that returns follow each other.
    pub(super) fn ship(&mut self, orders: &Orders) -> Request {
        let Some(order) = self.any_order(orders) else { return self.place() };
        let takes_back = if order.status.as_str() == "DELIVERED" { 6 } else { 1 };
        match self.rng.u8(..10) {
            9 => self.assign(order),
            n if n < takes_back => self.take_back(order),
            _ => self.report(order, orders.is_over(order.id)),
        }
    }

    /// The courier that the order names, and sometimes another one.
    pub(super) fn courier_of(&mut self, order: &Order) -> CompactString {
        if self.trade == Trade::Orders {
            return order.customer_id.as_str().into();
        }
        let named = order.courier_id.clone().filter(|_| self.rng.u8(..4) > 0);
        named.unwrap_or_else(|| self.courier())
    }

    fn courier(&mut self) -> CompactString {
        format_compact!("courier-{}", self.rng.u8(..COURIERS))
    }

    /// A report of any status, since reports are lost, late and repeated; most say that the parcel has arrived. A report about an order that is over says so
    /// the second time.
    fn report(&mut self, order: &Order, is_over: bool) -> Request {
        let any = ShipmentStatus::ALL[self.rng.usize(..ShipmentStatus::ALL.len())];
        let status = if self.rng.bool() { ShipmentStatus::Delivered } else { any };
        let by = match self.rng.u8(..6) {
            0 => admin(),
            1 => Actor { role: Role::Service, subject: "carrier".into() },
            _ => Actor { role: Role::Courier, subject: self.courier_of(order) },
        };
        let event = ShipmentEvent {
            status,
            carrier: Some("a carrier".into()),
            tracking_number: None,
            location: self.rng.bool().then(|| "a place".into()),
            occurred_at: None,
            event_id: None,
        };
        let body = u128::from(status as u8) * 2 + u128::from(event.location.is_some());
        let idempotency = self.change_key("event of POST /shipments/{order_id}/events", 3, body);
        let is_over = is_over && self.rng.bool();
        let report = ReportShipment { order_id: order.id, event, is_over, idempotency, by };
        self.order(order.id, OrderCommand::ReportShipment(report))
    }

    fn assign(&mut self, order: &Order) -> Request {
        let courier_id = (self.rng.u8(..4) > 0).then(|| self.courier());
        let if_match = (self.rng.u8(..4) == 0).then(|| vec![order.version]);
        let body = courier_id.as_ref().map_or(0, |courier| u128::from(courier.ends_with('1')) + 1);
        let idempotency = self.change_key("PUT /orders/{id}/courier", 3, body);
        let assign = AssignCourier { order_id: order.id, courier_id, if_match, idempotency, by: admin() };
        self.order(order.id, OrderCommand::AssignCourier(assign))
    }

    /// A return of a line or two, sometimes of more than was shipped.
    fn take_back(&mut self, order: &Order) -> Request {
        let mut lines = Vec::new();
        for _ in 0..self.rng.usize(1..3) {
            let (line, quantity) = (self.rng.u32(1..4), self.rng.u32(1..4));
            let to = if self.rng.u8(..4) == 0 { ReturnTo::WrittenOff } else { ReturnTo::Stock };
            lines.push(ReturnedUnits { line, quantity, to });
        }
        let body = lines.iter().fold(0, |body, units| {
            body * 100
                + u128::from(units.line * 10 + units.quantity) * 2
                + u128::from(units.to == ReturnTo::Stock)
        });
        let if_match = (self.rng.u8(..8) == 0).then(|| vec![order.version]);
        let idempotency = self.change_key("POST /orders/{id}/returns", 3, body);
        let reason = Some("it does not fit".into());
        let by = admin();
        let command = ReturnOrder { order_id: order.id, lines, reason, if_match, idempotency, by };
        self.order(order.id, OrderCommand::Return(command))
    }
}
