//! Tests of the idempotency keys of status changes.

use orderflow_schemas::{commands::ChangeKey, events::OrderRepeated};

use super::*;

/// A change under a key. The number stands for the body of the request.
fn keyed(by: Actor, status: &str, key: &str, body: u128) -> ChangeStatus {
    let (key, call) = (IdempotencyKey::new(key).unwrap(), "PATCH /orders/{id}/status".into());
    ChangeStatus {
        order_id: id(),
        status: Status::new(status).unwrap(),
        if_match: None,
        reason: None,
        idempotency: Some(ChangeKey { key, call, fingerprint: Fingerprint(body) }),
        by,
    }
}

impl Shop {
    fn ask(&mut self, change: ChangeStatus) -> Decided {
        self.take(OrderCommand::ChangeStatus(change))
    }
}

#[track_caller]
fn repeated(decided: &Decided) -> &OrderRepeated {
    assert!(decided.messages.is_empty());
    let [OrderEvent::Repeated(repeated)] = decided.events.as_slice() else { panic!("{decided:?}") };
    assert_eq!((repeated.requested, repeated.order_id), (id(), id()));
    repeated
}

#[test]
fn a_repeated_change_has_no_effect_and_gets_the_order_as_it_is_now() {
    let mut shop = Shop::reserved();
    let accept = || keyed(by(Role::Admin), "ACCEPTED", "k", 1);
    assert_eq!(changed(&shop.ask(accept())).1.order.version, 3);
    shop.change(by(Role::Admin), "PREPARED");
    let order = repeated(&shop.ask(accept())).order.clone().unwrap();
    assert_eq!((order.status.as_str(), order.version), ("PREPARED", 4));
    // `If-Match` is not part of the body.
    repeated(&shop.ask(ChangeStatus { if_match: Some(vec![2]), ..accept() }));
    assert_eq!(
        refusal(&shop.ask(keyed(by(Role::Admin), "ACCEPTED", "k", 2))).0,
        RejectionCode::IdempotencyKeyReused
    );
    assert_eq!(shop.state.get(id()).unwrap().version, 4);
}

#[test]
fn a_rejected_change_is_rejected_again_with_what_may_be_asked_now() {
    let mut shop = Shop::reserved();
    let ship = || keyed(by(Role::Admin), "SHIPPED", "k", 1);
    let stale = || ChangeStatus { if_match: Some(vec![1]), ..keyed(by(Role::Admin), "CANCELED", "l", 1) };
    let first = shop.ask(ship());
    assert_eq!((refusal(&first).0, refusal(&first).1.repeated), (RejectionCode::IllegalTransition, false));
    assert_eq!(refusal(&shop.ask(stale())).0, RejectionCode::StaleVersion);
    shop.change(by(Role::Admin), "ACCEPTED");
    shop.change(by(Role::Admin), "PREPARED");

    let again = shop.ask(ship());
    let (code, rejected) = refusal(&again);
    assert_eq!(
        (code, rejected.repeated, rejected.version),
        (RejectionCode::IllegalTransition, true, Some(4))
    );
    let allowed = rejected.allowed.as_ref().unwrap();
    assert!(allowed.contains(&Status::new("SHIPPED").unwrap()), "it may be asked under another key");
    let again = shop.ask(ChangeStatus { if_match: None, ..stale() });
    let (code, rejected) = refusal(&again);
    assert_eq!((code, rejected.repeated, rejected.version), (RejectionCode::StaleVersion, true, Some(4)));
    assert_eq!(rejected.allowed, None);
    assert_eq!(
        refusal(&shop.ask(keyed(by(Role::Admin), "SHIPPED", "k", 2))).0,
        RejectionCode::IdempotencyKeyReused
    );
}

#[test]
fn a_change_rejected_while_the_order_waits_for_stock_stays_rejected() {
    let mut shop = Shop::new(TRACKING);
    shop.place(placing(&[(&sku(0), 1, None)]));
    let cancel = || keyed(by(Role::Customer), "CANCELED", "k", 1);
    assert_eq!(refusal(&shop.ask(cancel())).0, RejectionCode::IllegalTransition);
    assert_eq!(refusal(&shop.ask(cancel())).1.allowed, Some(Vec::new()));
    shop.reply(0, Outcome::Held(vec![Amount(10)]));
    let again = shop.ask(cancel());
    assert_eq!((refusal(&again).0, refusal(&again).1.repeated), (RejectionCode::IllegalTransition, true));
}

#[test]
fn keys_of_changes_are_remembered_when_the_order_is_over() {
    let mut shop = Shop::reserved();
    let cancel = || keyed(by(Role::Customer), "CANCELED", "k", 1);
    let ship = || keyed(by(Role::Admin), "SHIPPED", "l", 1);
    assert_eq!(refusal(&shop.ask(ship())).0, RejectionCode::IllegalTransition);
    assert_eq!(changed(&shop.ask(cancel())).0, Change::Canceled);
    assert_eq!(shop.state.active_len(), 0);
    assert_eq!(repeated(&shop.ask(cancel())).order, None);
    let again = shop.ask(ship());
    let (code, rejected) = refusal(&again);
    assert_eq!((code, rejected.repeated, rejected.version), (RejectionCode::IllegalTransition, true, None));
    let reused = shop.ask(keyed(by(Role::Customer), "CANCELED", "k", 2));
    let (code, rejected) = refusal(&reused);
    assert_eq!((code, rejected.version), (RejectionCode::IdempotencyKeyReused, None));
    assert_eq!(
        refusal(&shop.ask(keyed(by(Role::Customer), "CANCELED", "m", 1))).0,
        RejectionCode::UnknownOrder
    );
}

#[test]
fn keys_of_changes_are_forgotten_after_a_day_or_beyond_their_own_bound() {
    let mut shop = Shop::reserved();
    let accept = || keyed(by(Role::Admin), "ACCEPTED", "k", 1);
    shop.ask(accept());
    shop.wait(24 * 3600 + 1);
    let late = shop.ask(accept());
    assert_eq!((refusal(&late).0, refusal(&late).1.repeated), (RejectionCode::IllegalTransition, false));

    let mut shop = Shop::reserved();
    shop.ask(accept());
    for n in 0..shop.processor.change_keys_max {
        shop.ask(keyed(by(Role::Admin), "DELIVERED", &format!("other-{n}"), 1));
    }
    assert_eq!(refusal(&shop.ask(accept())).0, RejectionCode::IllegalTransition);
    let gauges = shop.processor.gauges(&shop.state);
    let gauge = |name| gauges.iter().find(|(of, _)| *of == name).unwrap().1;
    assert_eq!((gauge("change_keys"), gauge("change_keys_crowded_out")), (10, 2));
    assert_eq!((gauge("idempotency_keys"), gauge("idempotency_keys_crowded_out")), (0, 0));
}

#[test]
fn a_caller_who_may_not_ask_is_answered_as_without_a_key_and_nothing_is_remembered() {
    let mut shop = Shop::reserved();
    let eve = || Actor { role: Role::Customer, subject: "eve".into() };
    let plain = shop.change(eve(), "CANCELED");
    assert_eq!(shop.ask(keyed(eve(), "CANCELED", "k", 1)), plain);
    assert_eq!(shop.ask(keyed(eve(), "CANCELED", "k", 2)), plain, "the key is not compared");
    let plain = shop.change(by(Role::Customer), "ACCEPTED");
    assert_eq!(shop.ask(keyed(by(Role::Customer), "ACCEPTED", "k", 1)), plain);
    let unknown = |key| ChangeStatus {
        order_id: OrderId::from_uuid(uuid::Uuid::from_u128(1)),
        ..keyed(by(Role::Admin), "CANCELED", key, 1)
    };
    assert_eq!(refusal(&shop.ask(unknown("k"))).0, RejectionCode::UnknownOrder);
    assert!(shop.processor.gauges(&shop.state).contains(&("change_keys", 0)));
}

#[test]
fn a_role_that_has_lost_a_right_gets_no_repeat() {
    let mut shop = Shop::reserved();
    shop.change(by(Role::Admin), "ACCEPTED");
    let prepare = || keyed(by(Role::Service), "PREPARED", "k", 1);
    assert_eq!(changed(&shop.ask(prepare())).0, Change::Updated);
    repeated(&shop.ask(prepare()));
    let deliver = || keyed(by(Role::Service), "DELIVERED", "l", 1);
    assert_eq!(refusal(&shop.ask(deliver())).0, RejectionCode::IllegalTransition);
    let others = TRACKING.replace("by = [\"admin\", \"service\"]", "by = [\"admin\"]");
    assert_ne!(others, TRACKING);
    shop.processor.lifecycle = Arc::new(Lifecycle::parse(&others).unwrap());
    let plain = shop.change(by(Role::Service), "PREPARED");
    assert_eq!(shop.ask(prepare()), plain);
    assert_eq!(shop.ask(keyed(by(Role::Service), "PREPARED", "k", 2)), plain);
    assert!(refusal(&shop.ask(deliver())).1.repeated, "this right is still there");
    shop.processor.lifecycle = Arc::new(Lifecycle::parse(TRACKING).unwrap());
    repeated(&shop.ask(prepare()));
}

#[test]
fn a_key_of_a_change_is_not_that_of_an_order() {
    let mut shop = Shop::new(TRACKING);
    let idempotency = Idempotency { key: IdempotencyKey::new("k").unwrap(), fingerprint: Fingerprint(1) };
    shop.place(PlaceOrder { idempotency: Some(idempotency), ..placing(&[(&sku(0), 1, None)]) });
    shop.reply(0, Outcome::Held(vec![Amount(10)]));
    assert_eq!(changed(&shop.ask(keyed(by(Role::Customer), "CANCELED", "k", 9))).0, Change::Canceled);
}
