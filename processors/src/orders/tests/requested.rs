//! Orders that exist once they are reserved.

use super::*;

fn keyed(body: u128) -> PlaceOrder {
    let idempotency = Idempotency { key: IdempotencyKey::new("k").unwrap(), fingerprint: Fingerprint(body) };
    PlaceOrder { idempotency: Some(idempotency), ..placing(&[(&sku(0), 1, None), (&sku(1), 1, None)]) }
}

#[test]
fn an_order_is_created_once_all_its_lines_are_held() {
    let mut shop = Shop::new(DELIVERY);
    let placed = shop.place(keyed(1));
    let [OrderEvent::Requested(requested)] = placed.events.as_slice() else { panic!("{placed:?}") };
    assert_eq!((requested.order.version, placed.messages.len()), (0, 2));
    assert!(!requested.order.is_visible());
    let waiting = shop.place(keyed(1));
    let [OrderEvent::Repeated(repeated)] = waiting.events.as_slice() else { panic!("{waiting:?}") };
    assert_eq!(repeated.order.as_ref().map(|order| order.version), Some(0));
    shop.reply(0, Outcome::Held(vec![Amount(10)]));
    let decided = shop.reply(1, Outcome::Held(vec![Amount(20)]));
    let (change, created) = changed(&decided);
    assert_eq!((change, created.order.version, created.from.is_none()), (Change::Created, 1, true));
    assert_eq!((created.holding, created.order.total), (Holding::Held, Some(Amount(30))));
    assert_eq!(created.by, by(Role::Customer), "who placed the order has created it");
    shop.change(by(Role::Customer), "CANCELED");
    assert_eq!(shop.state.active_len(), 0);
}

#[test]
fn nobody_acts_on_an_order_that_does_not_exist_yet() {
    let mut shop = Shop::new(DELIVERY);
    shop.place(keyed(1));
    for role in [Role::Customer, Role::Admin, Role::Courier] {
        assert_eq!(refusal(&shop.change(by(role), "CANCELED")).0, RejectionCode::UnknownOrder);
    }
}

#[test]
fn an_order_that_stock_refuses_never_exists_and_its_key_says_so() {
    let mut shop = Shop::new(DELIVERY);
    shop.place(keyed(1));
    shop.reply(0, Outcome::Held(vec![Amount(10)]));
    let decided = shop.reply(1, Outcome::Refused(vec![short(&sku(1), FailureCode::OutOfStock)]));
    let [OrderEvent::Declined(declined)] = decided.events.as_slice() else { panic!("{decided:?}") };
    assert_eq!((declined.order_id, declined.code), (id(), FailureCode::OutOfStock));
    assert_eq!(declined.failures.len(), 1);
    assert!(
        matches!(decided.messages[..], [(Partition(0), StockCommand::Release(_))]),
        "what is held goes back"
    );
    assert_eq!(shop.state.active_len(), 0);
    let repeat = shop.place(keyed(1));
    let [OrderEvent::Repeated(repeated)] = repeat.events.as_slice() else { panic!("{repeat:?}") };
    assert_eq!((repeated.declined, repeated.order.is_none()), (Some(FailureCode::OutOfStock), true));
    assert_eq!(refusal(&shop.place(keyed(2))).0, RejectionCode::IdempotencyKeyReused);
}

#[test]
fn a_lifecycle_that_shows_orders_at_once_is_refused_while_some_wait_to_be_created() {
    let mut shop = Shop::new(DELIVERY);
    shop.place(placing(&[(&sku(0), 1, None)]));
    assert_eq!(shop.processor.incompatibility(&shop.state), None);
    let replies = "[[transitions]]\nfrom = [\"PENDING_SHIPMENT\"]\nto = \"PENDING_SHIPMENT\"\non = \"reserved\"\n\n\
                  [[transitions]]\nfrom = [\"PENDING_SHIPMENT\"]\nto = \"CANCELED\"\non = \"refused\"\n\n[actions]";
    let at_once = DELIVERY.replace("visible = \"reserved\"", "").replace("[actions]", replies);
    shop.processor.lifecycle = Arc::new(Lifecycle::parse(&at_once).unwrap());
    let incompatibility = shop.processor.incompatibility(&shop.state).unwrap();
    assert!(
        incompatibility.contains("creates no orders in the state `PENDING_SHIPMENT`"),
        "{incompatibility}"
    );
}
