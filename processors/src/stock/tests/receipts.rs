//! Tests of receipts and corrections of stock.

use orderflow_schemas::{commands::AdjustStock, limits::RECEIVED_MAX};

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
    assert!(matches!(receive("b", 2, 0), StockEvent::Received(_)), "a key is a SKU's own");
    assert!(matches!(receive("a", 2, 24 * 3600 + 1), StockEvent::Received(_)));
}
