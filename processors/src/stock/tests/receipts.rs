//! Tests of receipts and corrections of stock.

use orderflow_schemas::{commands::AdjustStock, events::StockRepeated, limits::RECEIVED_MAX};

use super::*;

#[test]
fn counts_stay_within_what_can_be() {
    let mut shelves = Shelves::full();
    let mut adjust = |delta| {
        let (sku, reason, idempotency, by) = (sku("a"), "counted".into(), None, admin());
        one(shelves.take(StockCommand::Adjust(AdjustStock { sku, delta, reason, idempotency, by })))
    };
    assert_eq!(refused(&adjust(-11)).0, RejectionCode::NegativeStock);
    assert_eq!(refused(&adjust(i64::MIN)).0, RejectionCode::NegativeStock);
    assert_eq!(refused(&adjust(i64::MAX)).0, RejectionCode::LevelOverflow);
    adjust(-4);
    adjust(i64::try_from(RECEIVED_MAX).unwrap() - 10);
    assert_eq!(refused(&adjust(1)).0, RejectionCode::LevelOverflow);
    assert_eq!(shelves.state.levels("a").written_off, 4);
}

#[test]
fn a_receipt_under_a_key_counts_once_a_day() {
    let mut shelves = Shelves::empty();
    let mut receive = |name, body, later| {
        shelves.now = shelves.now.plus(std::time::Duration::from_secs(later));
        one(shelves.take(StockCommand::Receive(receive(name, 5, Some(("k", body))))))
    };
    assert!(matches!(receive("a", 1, 0), StockEvent::Received(_)));
    assert!(matches!(receive("a", 1, 0), StockEvent::Repeated(repeated) if repeated.levels.available == 5));
    assert_eq!(refused(&receive("a", 2, 0)).0, RejectionCode::IdempotencyKeyReused);
    assert!(matches!(receive("b", 2, 0), StockEvent::Received(_)), "a key belongs to its SKU");
    assert!(matches!(receive("a", 2, 24 * 3600 + 1), StockEvent::Received(_)));
}

#[test]
fn a_rejected_change_is_rejected_again_though_it_could_be_made_now() {
    let mut shelves = Shelves::empty();
    let loss = |body| AdjustStock {
        sku: sku("a"),
        delta: -3,
        reason: "mice".into(),
        idempotency: Some(change_key("k", body)),
        by: admin(),
    };
    let first = one(shelves.take(StockCommand::Adjust(loss(1))));
    assert_eq!(refused(&first).0, RejectionCode::NegativeStock);
    shelves.take(StockCommand::Receive(receive("a", 10, None)));
    let StockEvent::Rejected(again) = one(shelves.take(StockCommand::Adjust(loss(1)))) else { panic!() };
    assert_eq!((again.code, again.repeated, again.key), (RejectionCode::NegativeStock, true, None));
    let other = one(shelves.take(StockCommand::Adjust(loss(2))));
    assert_eq!(refused(&other).0, RejectionCode::IdempotencyKeyReused);
    assert_eq!(shelves.of("a"), (10, 0, 0));
}

#[test]
fn a_product_under_a_key_is_set_once_and_shown_as_it_is_now() {
    let mut shelves = Shelves::empty();
    let keyed = |body| SetProduct { idempotency: Some(change_key("k", body)), ..product("a", 5) };
    let first = one(shelves.take(StockCommand::SetProduct(keyed(1))));
    assert!(matches!(first, StockEvent::ProductUpdated(_)));
    shelves.take(StockCommand::SetProduct(product("a", 6)));
    let again = one(shelves.take(StockCommand::SetProduct(keyed(1))));
    let StockEvent::Repeated(StockRepeated { product: Some(shown), .. }) = again else { panic!("{again:?}") };
    assert_eq!((shown.name.as_str(), shown.unit_price), ("thing", Amount(6)));
    let other = one(shelves.take(StockCommand::SetProduct(keyed(2))));
    assert_eq!(refused(&other).0, RejectionCode::IdempotencyKeyReused);
}

#[test]
fn keys_of_another_caller_or_call_are_others() {
    let mut shelves = Shelves::empty();
    let mine = receive("a", 5, Some(("k", 1)));
    let by = Actor { role: Role::Service, subject: "root".into() };
    let of_another = ReceiveStock { by, ..mine.clone() };
    let call = "POST /inventory/batch".into();
    let in_a_batch =
        ReceiveStock { idempotency: Some(ChangeKey { call, ..change_key("k", 1) }), ..mine.clone() };
    for receipt in [mine, of_another, in_a_batch] {
        let event = one(shelves.take(StockCommand::Receive(receipt)));
        assert!(matches!(event, StockEvent::Received(_)), "{event:?}");
    }
    assert_eq!(shelves.of("a"), (15, 0, 0));
}
