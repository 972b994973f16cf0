//! Tests of timers, and of orders under another lifecycle than the one they began with.

use super::super::timer::DUE_PER_TICK_MAX;
use super::*;

const WEEK: u64 = 7 * 24 * 3600;

const RETRY: &str = r#"
    name = "retry"
    initial = { state = "NEW", stock = "reserve" }
    states = { NEW = {}, SHORT = {}, READY = {}, GONE = { final = "completed" } }
    transitions = [
        { from = ["NEW"], to = "READY", on = "reserved" },
        { from = ["NEW"], to = "SHORT", on = "refused" },
        { from = ["SHORT"], to = "NEW", by = ["admin"], stock = "reserve" },
        { from = ["READY"], to = "GONE", by = ["admin"], stock = "ship" },
    ]
"#;

fn tick(shop: &mut Shop) -> Decided {
    shop.take(OrderCommand::Tick(Tick {}))
}

#[test]
fn an_order_that_nobody_accepts_expires_by_a_tick_and_releases() {
    let mut shop = Shop::reserved();
    let due = shop.processor.next_due(&shop.state);
    assert_eq!(due, Some(shop.now.plus(std::time::Duration::from_secs(WEEK))));
    shop.wait(WEEK - 1);
    assert!(matches!(tick(&mut shop).events[..], [OrderEvent::Ticked(_)]));
    shop.wait(1);
    let decided = tick(&mut shop);
    let (change, expired) = changed(&decided);
    assert_eq!((change, expired.order.fail_reason.as_deref()), (Change::Failed, Some("expired")));
    assert_eq!(expired.order.status.as_str(), "EXPIRED");
    assert_eq!(expired.by, Actor::SYSTEM);
    assert_eq!(decided.messages, [release(0, ReleaseReason::Expired)]);
    assert_eq!((shop.processor.next_due(&shop.state), shop.state.active_len()), (None, 0));
}

#[test]
fn an_order_that_went_on_is_not_due_any_more() {
    let mut shop = Shop::reserved();
    shop.change(by(Role::Admin), "ACCEPTED");
    shop.wait(WEEK);
    assert!(matches!(tick(&mut shop).events[..], [OrderEvent::Ticked(_)]));
}

#[test]
fn a_tick_changes_a_bounded_number_of_orders_and_the_next_one_the_rest() {
    let mut shop = Shop::new(TRACKING);
    for number in 0..=DUE_PER_TICK_MAX as u128 {
        let order_id = OrderId::new(uuid::Uuid::from_u128((number + 1) << 64), &customer());
        shop.place(PlaceOrder { order_id, ..placing(&[(&sku(0), 1, None)]) });
        let outcome = Outcome::Held(vec![Amount(1)]);
        shop.take(OrderCommand::StockReply(StockReply { order_id, partition: Partition(0), outcome }));
    }
    shop.wait(WEEK);
    assert_eq!(tick(&mut shop).events.len(), DUE_PER_TICK_MAX);
    assert_eq!(tick(&mut shop).events.len(), 1);
    assert_eq!(shop.state, Orders::default());
}

#[test]
fn a_timer_the_lifecycle_has_lost_stands_in_nobodys_way() {
    let mut shop = Shop::reserved();
    let lifecycle = TRACKING.replace(
        "from = [\"RESERVED\"]\nto = \"EXPIRED\"\nafter",
        "from = [\"ACCEPTED\"]\nto = \"EXPIRED\"\nafter",
    );
    assert_ne!(lifecycle, TRACKING);
    shop.processor.lifecycle = Arc::new(Lifecycle::parse(&lifecycle).unwrap());
    shop.wait(WEEK);
    let decided = tick(&mut shop);
    let (change, kept) = changed(&decided);
    assert_eq!((change, kept.order.status.as_str(), kept.due), (Change::Updated, "RESERVED", None));
    assert_eq!((kept.holding, kept.order.version), (Holding::Held, 3));
    assert!(decided.messages.is_empty());
    assert!(matches!(tick(&mut shop).events[..], [OrderEvent::Ticked(_)]));
}

#[test]
fn a_lifecycle_that_strands_an_order_is_objected_to() {
    let mut shop = Shop::new(RETRY);
    shop.place(placing(&[(&sku(0), 1, None)]));
    assert_eq!(shop.processor.incompatibility(&shop.state), None);
    let mut incompatibility = |lifecycle: &str| {
        shop.processor.lifecycle = Arc::new(Lifecycle::parse(lifecycle).unwrap());
        shop.processor.incompatibility(&shop.state).unwrap()
    };
    assert!(incompatibility(TRACKING).contains("has no state `NEW`"));
    assert!(incompatibility(&RETRY.replace("NEW", "OLD").replace("GONE", "NEW")).contains("as final"));
    let later = r#"
        name = "later"
        initial = { state = "NEW" }
        states = { NEW = {}, GONE = { final = "completed" } }
        transitions = [{ from = ["NEW"], to = "GONE", by = ["admin"] }]
    "#;
    assert!(incompatibility(later).contains("expects no reply from stock"));
}

#[test]
fn an_order_that_is_reserved_at_last_says_no_more_that_it_failed() {
    let mut shop = Shop::new(RETRY);
    shop.place(placing(&[(&sku(0), 1, None)]));
    let refused = shop.reply(0, Outcome::Refused(vec![short(&sku(0), FailureCode::OutOfStock)]));
    assert_eq!((changed(&refused).0, changed(&refused).1.order.failures.len()), (Change::Updated, 1));
    let again = shop.change(by(Role::Admin), "NEW");
    assert!(matches!(again.messages[..], [(Partition(0), StockCommand::Reserve(_))]));
    let decided = shop.reply(0, Outcome::Held(vec![Amount(1)]));
    let (change, reserved) = changed(&decided);
    assert_eq!((change, &reserved.reason, &reserved.order.fail_reason), (Change::Reserved, &None, &None));
    assert!(reserved.order.failures.is_empty());
}
