//! Couriers, and what they report.

use orderflow_schemas::{
    Payload, ShipmentEvent, ShipmentStatus,
    commands::{AssignCourier, ChangeKey, ReportShipment},
};

use super::*;

fn courier(name: &str) -> Actor {
    Actor { role: Role::Courier, subject: name.into() }
}

fn report_by(
    shop: &mut Shop,
    by: Actor,
    status: ShipmentStatus,
    event_id: Option<&str>,
    is_over: bool,
) -> Decided {
    let event = ShipmentEvent {
        status,
        carrier: None,
        tracking_number: None,
        location: Some("Berlin".into()),
        occurred_at: None,
        event_id: event_id.map(Into::into),
    };
    let key = |id: &str| ChangeKey {
        key: IdempotencyKey::new(id).unwrap(),
        call: "event".into(),
        fingerprint: Fingerprint(status as u128),
    };
    let idempotency = event_id.map(key);
    shop.take(OrderCommand::ReportShipment(ReportShipment {
        order_id: id(),
        event,
        is_over,
        idempotency,
        by,
    }))
}

fn report(shop: &mut Shop, status: ShipmentStatus) -> Decided {
    report_by(shop, courier("c-1"), status, None, false)
}

fn assign(shop: &mut Shop, by: Actor, courier_id: Option<&str>) -> Decided {
    let courier_id = courier_id.map(Into::into);
    let command = AssignCourier { order_id: id(), courier_id, if_match: None, idempotency: None, by };
    shop.take(OrderCommand::AssignCourier(command))
}

fn status_after(decided: &Decided) -> &str {
    changed(decided).1.order.status.as_str()
}

#[test]
fn reports_move_the_order_and_are_part_of_its_changes() {
    let mut shop = Shop::delivering();
    for (status, expected) in [
        (ShipmentStatus::PickedUp, "SHIPPED"),
        (ShipmentStatus::InTransit, "SHIPPED"),
        (ShipmentStatus::FailedAttempt, "SHIPPED"),
        (ShipmentStatus::OutForDelivery, "SHIPPED"),
        (ShipmentStatus::Delivered, "DELIVERED"),
    ] {
        let decided = report(&mut shop, status);
        let (_, event) = changed(&decided);
        assert_eq!(event.order.status.as_str(), expected, "{status:?}");
        assert_eq!(event.shipment.as_ref().map(|shipment| shipment.status), Some(status));
        assert_eq!(event.reason.as_deref(), Some(status.as_str()));
        assert_eq!(decided.messages.len(), if status == ShipmentStatus::PickedUp { 2 } else { 0 });
    }
}

#[test]
fn a_report_implies_those_before_it_and_late_ones_change_nothing() {
    let mut shop = Shop::delivering();
    let decided = report(&mut shop, ShipmentStatus::Delivered);
    assert_eq!((status_after(&decided), decided.messages.len()), ("DELIVERED", 2));
    assert!(decided.messages.iter().all(|(_, message)| matches!(message, StockCommand::Ship(_))));
    let due = shop.processor.next_due(&shop.state);
    shop.wait(60);
    for late in [ShipmentStatus::PickedUp, ShipmentStatus::OutForDelivery, ShipmentStatus::Delivered] {
        let decided = report(&mut shop, late);
        assert_eq!((status_after(&decided), decided.messages.len()), ("DELIVERED", 0), "{late:?}");
    }
    assert_eq!(shop.processor.next_due(&shop.state), due, "the time for returns goes on");
}

#[test]
fn a_repeat_does_not_go_back_though_the_lifecycle_has_a_way() {
    let again = "[[transitions]]\nfrom = [\"DELIVERED\"]\nto = \"SHIPPED\"\nby = [\"courier\"]\n\n[actions]";
    let mut shop = Shop::delivering();
    shop.processor.lifecycle = Arc::new(Lifecycle::parse(&DELIVERY.replace("[actions]", again)).unwrap());
    report(&mut shop, ShipmentStatus::Delivered);
    for repeated in [ShipmentStatus::Delivered, ShipmentStatus::FailedAttempt] {
        let due = shop.processor.next_due(&shop.state);
        shop.wait(60);
        assert_eq!(status_after(&report(&mut shop, repeated)), "DELIVERED", "{repeated:?}");
        assert_eq!(shop.processor.next_due(&shop.state), due);
    }
}

#[test]
fn a_parcel_that_was_tried_to_deliver_was_shipped() {
    let mut shop = Shop::delivering();
    let decided = report(&mut shop, ShipmentStatus::FailedAttempt);
    assert_eq!((status_after(&decided), decided.messages.len()), ("SHIPPED", 2));
    let decided = report(&mut shop, ShipmentStatus::FailedAttempt);
    assert_eq!((status_after(&decided), decided.messages.len()), ("SHIPPED", 0));
}

#[test]
fn a_parcel_that_comes_back_was_shipped_first() {
    let mut shop = Shop::delivering();
    let decided = report(&mut shop, ShipmentStatus::Returned);
    assert_eq!(status_after(&decided), "RETURNED");
    let kinds: Vec<_> = decided.messages.iter().map(|(_, message)| message.kind()).collect();
    assert_eq!(kinds, ["stock.ship", "stock.ship", "stock.return", "stock.return"]);
}

#[test]
fn a_repeat_is_recognised_by_its_key() {
    let mut shop = Shop::delivering();
    let first = report_by(&mut shop, courier("c-1"), ShipmentStatus::PickedUp, Some("e-1"), false);
    let again = report_by(&mut shop, courier("c-1"), ShipmentStatus::PickedUp, Some("e-1"), false);
    assert_eq!(changed(&first).1.order.version, 2);
    let [OrderEvent::Repeated(repeated)] = again.events.as_slice() else { panic!("{again:?}") };
    assert_eq!(repeated.order.as_ref().map(|order| order.version), Some(2));
    let other = report_by(&mut shop, courier("c-1"), ShipmentStatus::Delivered, Some("e-1"), false);
    assert_eq!(refusal(&other).0, RejectionCode::IdempotencyKeyReused);
}

#[test]
fn a_courier_acts_only_where_the_lifecycle_and_the_order_allow_it() {
    let mut shop = Shop::delivering();
    assert_eq!(refusal(&assign(&mut shop, courier("c-2"), Some("c-2"))).0, RejectionCode::Forbidden);
    let assigned = assign(&mut shop, by(Role::Admin), Some("c-2"));
    assert_eq!(changed(&assigned).1.order.courier_id.as_deref(), Some("c-2"));
    // Reporting gives no right, and an order that names another courier does not exist for this one.
    assert_eq!(refusal(&report(&mut shop, ShipmentStatus::PickedUp)).0, RejectionCode::UnknownOrder);
    assert_eq!(refusal(&shop.change(courier("c-1"), "SHIPPED")).0, RejectionCode::UnknownOrder);
    let by_named = report_by(&mut shop, courier("c-2"), ShipmentStatus::PickedUp, None, false);
    assert_eq!(status_after(&by_named), "SHIPPED");
    assign(&mut shop, by(Role::Service), None);
    assert_eq!(status_after(&report(&mut shop, ShipmentStatus::Delivered)), "DELIVERED");
    for role in [Role::Customer, Role::Analyst] {
        let decided = report_by(&mut shop, by(role), ShipmentStatus::Returned, None, false);
        assert_eq!(refusal(&decided).0, RejectionCode::UnknownOrder, "{role:?}");
    }
    // An order that is not ready is none of a courier's business.
    let mut shop = Shop::reserved();
    assert_eq!(refusal(&report(&mut shop, ShipmentStatus::PickedUp)).0, RejectionCode::UnknownOrder);
    assert_eq!(refusal(&shop.change(courier("c-1"), "SHIPPED")).0, RejectionCode::UnknownOrder);
}

#[test]
fn reports_of_an_order_that_is_over_are_history_if_the_sender_vouches_for_it() {
    let mut shop = Shop::delivering();
    shop.change(by(Role::Customer), "CANCELED");
    assert_eq!(refusal(&report(&mut shop, ShipmentStatus::PickedUp)).0, RejectionCode::UnknownOrder);
    let decided = report_by(&mut shop, courier("c-1"), ShipmentStatus::PickedUp, Some("e-1"), true);
    let [OrderEvent::ShipmentRecorded(recorded)] = decided.events.as_slice() else { panic!("{decided:?}") };
    assert_eq!((recorded.order_id, recorded.shipment.status), (id(), ShipmentStatus::PickedUp));
    let again = report_by(&mut shop, courier("c-1"), ShipmentStatus::PickedUp, Some("e-1"), true);
    assert!(matches!(again.events[..], [OrderEvent::Repeated(_)]));
}

#[test]
fn who_approves_is_in_the_order() {
    let mut shop = Shop::new(include_str!("../../../../pipelines/approval.toml"));
    shop.place(placing(&[]));
    let approver = Actor { role: Role::Admin, subject: "root".into() };
    let decided = shop.change(approver, "APPROVED");
    let order = &changed(&decided).1.order;
    assert_eq!((order.acted_by.as_deref(), order.acted_at), (Some("root"), Some(shop.now)));
    let mut shop = Shop::reserved();
    let decided = shop.change(by(Role::Admin), "ACCEPTED");
    assert_eq!(changed(&decided).1.order.acted_by, None, "this transition is no review");
}
