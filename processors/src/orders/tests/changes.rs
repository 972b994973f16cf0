//! Tests of status changes at a caller's request.

use super::*;

#[test]
fn cancel_releases_and_ship_ships_in_every_partition() {
    let mut shop = Shop::reserved();
    let decided = shop.change(by(Role::Customer), "CANCELED");
    assert_eq!(changed(&decided).0, Change::Canceled);
    assert_eq!(decided.messages, [release(0, ReleaseReason::Canceled)]);
    assert_eq!(shop.state, Orders::default(), "nothing of it stays in memory");

    let mut shop = Shop::reserved();
    shop.change(by(Role::Admin), "ACCEPTED");
    shop.change(by(Role::Admin), "PREPARED");
    let decided = shop.change(by(Role::Courier), "SHIPPED");
    let ship = StockCommand::Ship(Ship { order_id: id(), part: None });
    assert_eq!(decided.messages, [(Partition(0), ship)]);
    assert_eq!(changed(&decided).1.holding, Holding::Nothing);
    assert_eq!(changed(&shop.change(by(Role::Courier), "DELIVERED")).0, Change::Completed);
}

#[test]
fn changes_that_may_not_be_are_refused_with_what_may() {
    let mut shop = Shop::reserved();
    let decided = shop.change(by(Role::Customer), "SHIPPED");
    let (code, rejected) = refusal(&decided);
    let canceled = Status::new("CANCELED").unwrap();
    assert_eq!((code, &rejected.allowed), (RejectionCode::IllegalTransition, &Some(vec![canceled.clone()])));
    assert_eq!(refusal(&shop.change(by(Role::Customer), "ACCEPTED")).0, RejectionCode::Forbidden);
    let stranger = Actor { role: Role::Customer, subject: "eve".into() };
    assert_eq!(refusal(&shop.change(stranger, "CANCELED")).0, RejectionCode::UnknownOrder);
    let stale = ChangeStatus {
        order_id: id(),
        status: canceled,
        if_match: Some(vec![1, 3]),
        reason: None,
        idempotency: None,
        by: by(Role::Customer),
    };
    let decided = shop.take(OrderCommand::ChangeStatus(stale));
    assert_eq!(refusal(&decided).1.version, Some(2));

    let mut shop = Shop::new(TRACKING);
    assert_eq!(refusal(&shop.change(by(Role::Admin), "CANCELED")).0, RejectionCode::UnknownOrder);
    shop.place(placing(&[(&sku(0), 1, None)]));
    let waiting = shop.change(by(Role::Admin), "CANCELED");
    assert_eq!(refusal(&waiting).0, RejectionCode::IllegalTransition, "stock has not answered");
}
