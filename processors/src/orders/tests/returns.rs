//! Units that come back.

use orderflow_schemas::{
    commands::{ReturnOrder, ReturnUnits},
    returns::{ReturnTo, ReturnedSku, ReturnedUnits},
};

use super::*;

fn units(line: u32, quantity: u32, to: ReturnTo) -> ReturnedUnits {
    ReturnedUnits { line, quantity, to }
}

fn take_back(shop: &mut Shop, role: Role, lines: &[ReturnedUnits]) -> Decided {
    let (order_id, lines) = (id(), lines.to_vec());
    let command =
        ReturnOrder { order_id, lines, reason: None, if_match: None, idempotency: None, by: by(role) };
    shop.take(OrderCommand::Return(command))
}

fn delivered() -> Shop {
    let mut shop = Shop::delivering();
    for status in ["SHIPPED", "DELIVERED"] {
        shop.change(by(Role::Admin), status);
    }
    shop
}

fn returned(partition: u16, quantity: u32, to: ReturnTo) -> (Partition, StockCommand) {
    let line = ReturnedSku { sku: Sku::new(sku(partition)).unwrap(), quantity, to };
    (Partition(partition), StockCommand::Return(ReturnUnits { order_id: id(), lines: vec![line] }))
}

#[test]
fn parts_come_back_until_nothing_is_left() {
    let mut shop = delivered();
    let decided = take_back(&mut shop, Role::Admin, &[units(1, 2, ReturnTo::Stock)]);
    let (change, kept) = changed(&decided);
    assert_eq!((change, kept.order.status.as_str()), (Change::Updated, "DELIVERED"));
    assert_eq!(*kept.order.returned, [units(1, 2, ReturnTo::Stock)]);
    assert_eq!(decided.messages, [returned(0, 2, ReturnTo::Stock)]);
    let rest = [units(1, 1, ReturnTo::WrittenOff), units(2, 2, ReturnTo::Stock)];
    let decided = take_back(&mut shop, Role::Service, &rest);
    let (change, over) = changed(&decided);
    assert_eq!((change, over.order.status.as_str()), (Change::Canceled, "RETURNED"));
    assert_eq!(over.order.returned.len(), 3);
    assert_eq!(decided.messages, [returned(0, 1, ReturnTo::WrittenOff), returned(1, 2, ReturnTo::Stock)]);
    assert_eq!(shop.state.active_len(), 0);
}

#[test]
fn no_more_comes_back_than_was_shipped() {
    let mut shop = delivered();
    take_back(&mut shop, Role::Admin, &[units(1, 2, ReturnTo::WrittenOff)]);
    for wrong in [
        &[units(1, 2, ReturnTo::Stock)][..],
        &[units(1, 1, ReturnTo::Stock), units(1, 1, ReturnTo::WrittenOff)],
        &[units(3, 1, ReturnTo::Stock)],
        &[units(0, 1, ReturnTo::Stock)],
        &[units(2, 0, ReturnTo::Stock)],
        &[units(2, 1, ReturnTo::Stock), units(1, u32::MAX, ReturnTo::Stock)],
    ] {
        let decided = take_back(&mut shop, Role::Admin, wrong);
        assert_eq!(refusal(&decided).0, RejectionCode::MoreThanShipped, "{wrong:?}");
        assert!(decided.messages.is_empty());
    }
}

#[test]
fn a_courier_brings_back_what_has_not_come_back_yet() {
    let mut shop = delivered();
    take_back(&mut shop, Role::Admin, &[units(1, 2, ReturnTo::WrittenOff)]);
    let decided = shop.change(by(Role::Courier), "RETURNED");
    let (_, over) = changed(&decided);
    let all = [units(1, 1, ReturnTo::Stock), units(1, 2, ReturnTo::WrittenOff), units(2, 2, ReturnTo::Stock)];
    assert_eq!(*over.order.returned, all);
    assert_eq!(decided.messages, [returned(0, 1, ReturnTo::Stock), returned(1, 2, ReturnTo::Stock)]);
}

#[test]
fn returns_are_taken_for_a_time_and_by_the_seller() {
    let mut shop = Shop::delivering();
    let one = [units(1, 1, ReturnTo::Stock)];
    assert_eq!(refusal(&take_back(&mut shop, Role::Admin, &one)).0, RejectionCode::ReturnsClosed);
    shop.change(by(Role::Admin), "SHIPPED");
    shop.change(by(Role::Admin), "DELIVERED");
    let due = shop.processor.next_due(&shop.state);
    assert_eq!(due, Some(shop.now.plus(std::time::Duration::from_secs(14 * 24 * 3600))));
    assert_eq!(refusal(&take_back(&mut shop, Role::Customer, &one)).0, RejectionCode::Forbidden);
    shop.wait(3600);
    take_back(&mut shop, Role::Admin, &one);
    assert_eq!(shop.processor.next_due(&shop.state), due, "a return does not begin the time anew");
    shop.wait(14 * 24 * 3600);
    let decided = shop.take(OrderCommand::Tick(Tick {}));
    let (change, over) = changed(&decided);
    assert_eq!((change, over.order.status.as_str()), (Change::Completed, "COMPLETED"));
    assert_eq!((decided.messages.len(), over.order.fail_reason.as_deref()), (0, None));
    assert_eq!(refusal(&take_back(&mut shop, Role::Admin, &one)).0, RejectionCode::UnknownOrder);
}

#[test]
fn a_lifecycle_without_returns_takes_none() {
    let mut shop = Shop::reserved();
    let decided = take_back(&mut shop, Role::Admin, &[units(1, 1, ReturnTo::Stock)]);
    assert_eq!(refusal(&decided).0, RejectionCode::ReturnsClosed);
}

#[test]
fn what_an_earlier_lifecycle_did_not_ship_does_not_come_back() {
    let earlier =
        DELIVERY.replace("by = [\"courier\", \"admin\", \"service\"]\nstock = \"ship\"", "by = [\"admin\"]");
    let earlier = earlier.replace("DELIVERED = { returns = true }", "DELIVERED = {}");
    let earlier = earlier
        .replace("stock = \"return\"", "stock = \"release\"")
        .replace("to = \"RETURNED\"\non = \"returned\"", "to = \"SHIPPED\"\nby = [\"admin\"]");
    let earlier = earlier.replace("after = \"14days\"", "after = \"14days\"\nstock = \"ship\"");
    let mut shop = Shop::new(&earlier);
    shop.place(placing(&[(&sku(0), 3, None)]));
    shop.reply(0, Outcome::Held(vec![Amount(10)]));
    for status in ["SHIPPED", "DELIVERED"] {
        assert_eq!(changed(&shop.change(by(Role::Admin), status)).1.holding, Holding::Held);
    }
    shop.processor.lifecycle = Arc::new(Lifecycle::parse(DELIVERY).unwrap());
    let one = [units(1, 1, ReturnTo::Stock)];
    assert_eq!(refusal(&take_back(&mut shop, Role::Admin, &one)).0, RejectionCode::ReturnsClosed);
    let decided = shop.change(by(Role::Courier), "RETURNED");
    assert!(decided.messages.is_empty() && changed(&decided).1.order.returned.is_empty());
}
