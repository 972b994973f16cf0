//! A lifecycle that can run is accepted. Each kind that cannot run is refused by name.

use super::*;

const TRACKING: &str = include_str!("../../../pipelines/order-tracking.toml");
const SHIPPED_FILES: [&str; 4] = [
    TRACKING,
    include_str!("../../../pipelines/reservation.toml"),
    include_str!("../../../pipelines/approval.toml"),
    include_str!("../../../pipelines/delivery.toml"),
];

fn refusal(text: &str) -> String {
    Lifecycle::parse(text).expect_err("the lifecycle cannot run").to_string()
}

fn id(lifecycle: &Lifecycle, name: &str) -> StateId {
    lifecycle.find(name).unwrap()
}

#[test]
fn every_shipped_lifecycle_is_fit_to_run() {
    for text in SHIPPED_FILES {
        let lifecycle = Lifecycle::parse(text).unwrap();
        assert!(lifecycle.mermaid().contains("[*] -->"), "{}", lifecycle.name);
    }
}

#[test]
fn a_transition_is_open_only_to_the_roles_named() {
    let lifecycle = Lifecycle::parse(TRACKING).unwrap();
    let (reserved, accepted, shipped) =
        (id(&lifecycle, "RESERVED"), id(&lifecycle, "ACCEPTED"), id(&lifecycle, "SHIPPED"));
    assert!(matches!(lifecycle.transition(reserved, accepted, Role::Admin), TransitionLookup::Allowed(_)));
    assert_eq!(lifecycle.transition(reserved, accepted, Role::Customer), TransitionLookup::NotForRole);
    assert_eq!(lifecycle.transition(reserved, shipped, Role::Admin), TransitionLookup::Missing);
    assert_eq!(lifecycle.allowed(reserved, Role::Customer), [Status::new("CANCELED").unwrap()]);
    let canceled = id(&lifecycle, "CANCELED");
    assert!(lifecycle.may_enter(canceled, Role::Customer) && !lifecycle.may_enter(shipped, Role::Customer));
    assert!(!lifecycle.may_enter(reserved, Role::Admin), "stock moves orders there, and no caller");
}

#[test]
fn a_couriers_word_means_a_state_for_couriers_only() {
    let lifecycle = Lifecycle::parse(SHIPPED_FILES[3]).unwrap();
    assert_eq!(lifecycle.resolve("in_transit", Role::Courier), lifecycle.find("SHIPPED"));
    assert_eq!(lifecycle.resolve("in_transit", Role::Admin), None);
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let cases = [
        (TRACKING.replace("DELIVERED = {", "LOST = {}\nDELIVERED = {"), "`LOST` cannot be reached"),
        (TRACKING.replace("SHIPPED = {}", "SHIPPED = {}\ncolour = 1"), "not a pipeline file"),
        (TRACKING.replace("name =", "colour = 1\nname ="), "unknown field `colour`"),
        (TRACKING.replace("stock = \"ship\"", ""), "`DELIVERED` is final, yet"),
        (
            TRACKING.replace("DELIVERED = { final = \"completed\" }", "DELIVERED = {}"),
            "`DELIVERED` is a dead end",
        ),
        (TRACKING.replace("on = \"refused\"", "by = [\"admin\"]"), "waits for stock"),
        (
            TRACKING
                .replace("from = [\"PREPARED\"]\nto = \"SHIPPED\"", "from = [\"CREATED\"]\nto = \"SHIPPED\""),
            "`SHIPPED` cannot be reached",
        ),
        (
            TRACKING.replace("to = \"DELIVERED\"", "to = \"DELIVERED\"\nstock = \"ship\""),
            "wants to ship stock",
        ),
        (TRACKING.replace("on = \"refused\"", "on = \"refused\"\nstock = \"reserve\""), "would never end"),
        (TRACKING.replace("\"courier\", ", "\"analyst\", "), "role `analyst`"),
        (TRACKING.replace("to = \"ACCEPTED\"", "to = \"GONE\""), "`GONE` is not listed"),
        (TRACKING.replace("7days", "soon"), "reserve_for: no duration"),
        (TRACKING.replace("after = \"reserve_for\"", "after = \"soon\""), "is no duration"),
        (TRACKING.replace("after = \"reserve_for\"", ""), "exactly one of"),
        (TRACKING.replace("stock = \"reserve\"", "stock = \"ship\""), "[initial] can only"),
        (TRACKING.replace("stock = \"reserve\"", ""), "on a stock reply"),
        (TRACKING.replace("by = [\"admin\", \"service\"]", "by = []"), "names nobody"),
        (
            TRACKING.replace("from = [\"SHIPPED\"]", "from = [\"SHIPPED\", \"FAILED\"]"),
            "`FAILED` is final and cannot",
        ),
    ];
    for (text, expected) in cases {
        let message = refusal(&text);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}

/// A lifecycle that reserves stock, holds and releases it in a cycle, with these pauses before reserving and releasing.
fn circle(ask: &str, release: &str) -> String {
    let transition = |(from, to, rest): (&str, &str, String)| {
        format!("[[transitions]]\nfrom = [\"{from}\"]\nto = \"{to}\"\n{rest}\n")
    };
    let transitions = [
        ("OPEN", "ASKED", format!("after = \"{ask}\"\nstock = \"reserve\"")),
        ("OPEN", "DONE", "by = [\"admin\"]".to_owned()),
        ("ASKED", "HELD", "on = \"reserved\"".to_owned()),
        ("ASKED", "OPEN", "on = \"refused\"".to_owned()),
        ("HELD", "OPEN", format!("after = \"{release}\"\nstock = \"release\"")),
    ];
    let states = "OPEN = {}\nASKED = {}\nHELD = {}\nDONE = { final = \"canceled\" }";
    let head = format!("name = \"circle\"\n[initial]\nstate = \"OPEN\"\n[states]\n{states}\n");
    head + &transitions.into_iter().map(transition).collect::<String>()
}

#[test]
fn a_circle_that_never_rests_is_refused() {
    let itself = |pause: &str| {
        let transition =
            format!("[[transitions]]\nfrom = [\"SHIPPED\"]\nto = \"SHIPPED\"\nafter = \"{pause}\"\n");
        TRACKING.replace("[actions]", &format!("{transition}\n[actions]"))
    };
    for pause in ["0s", "999ms"] {
        assert!(refusal(&itself(pause)).contains("`SHIPPED` is on a cycle"));
    }
    Lifecycle::parse(&itself("1s")).expect("it rests");
    for text in [circle("0s", "0s"), circle("999ms", "999ms"), circle("0s", "1s")] {
        // The last of them rests only while there is stock: after a refusal the cycle has no pause.
        let message = refusal(&text);
        assert!(message.contains("never pause"), "{message}");
    }
    Lifecycle::parse(&circle("1s", "0s")).expect("it rests before it asks");
}

#[test]
fn reservations_that_end_need_bounds_and_a_transition() {
    let alone = "need each other";
    for (text, expected) in [
        (TRACKING.replace("after = \"reserve_for\"", "after = \"1m\""), alone),
        (TRACKING.replace("reserve_for = { default", "# { default"), alone),
        (TRACKING.replace("min = \"1m\"", "min = \"8days\""), "min <= default"),
        (TRACKING.replace("max = \"30days\"", "max = \"6days\""), "default <= max"),
        (TRACKING.replace("min = \"1m\"", "min = \"500ms\""), "1s <= min"),
        (TRACKING.replace("min = \"1m\"", "min = \"1500ms\""), "whole seconds"),
        (TRACKING.replace("max = \"30days\"", "max = \"100years\""), "max <= 10years"),
    ] {
        let message = refusal(&text);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}

#[test]
fn orders_that_exist_once_reserved_need_no_replies() {
    let delivery = SHIPPED_FILES[3];
    let lifecycle = Lifecycle::parse(delivery).unwrap();
    assert_eq!(lifecycle.visible(), Visible::Reserved);
    assert!(refusal(&delivery.replace("stock = \"reserve\"", "")).contains("needs stock = \"reserve\""));
    // If they are visible when they are placed, they wait for stock.
    assert!(refusal(&delivery.replace("visible = \"reserved\"", "")).contains("waits for stock"));
}

#[test]
fn returns_are_of_what_was_shipped_and_end() {
    let delivery = SHIPPED_FILES[3];
    let lifecycle = Lifecycle::parse(delivery).unwrap();
    assert!(lifecycle.takes_returns() && !Lifecycle::parse(TRACKING).unwrap().takes_returns());
    for (text, expected) in [
        (delivery.replace("after = \"14days\"", "by = [\"admin\"]"), "needs a transition with `after`"),
        (delivery.replace("SHIPPED = {}", "SHIPPED = { returns = true }"), "needs a transition with `after`"),
        (delivery.replace("DELIVERED = { returns = true }", "DELIVERED = {}"), "has no `returns = true`"),
        (
            delivery.replace("PENDING_SHIPMENT = {}", "PENDING_SHIPMENT = { returns = true }"),
            "without having been shipped",
        ),
        (
            delivery.replace("from = [\"SHIPPED\", \"DELIVERED\"]", "from = [\"PENDING_SHIPMENT\"]"),
            "wants to return stock",
        ),
        (delivery.replace("stock = \"return\"", "stock = \"ship\""), "shipped already"),
    ] {
        let message = refusal(&text);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}

#[test]
fn orders_for_items_have_no_stock_and_bounded_lines() {
    let approval = SHIPPED_FILES[2];
    assert_eq!(Lifecycle::parse(approval).unwrap().items().unwrap().quantity_max, 100);
    for (text, expected) in [
        (
            approval.replace("state = \"PENDING\"", "state = \"PENDING\"\nstock = \"reserve\""),
            "no order has stock",
        ),
        (approval.replace("255", "256"), "name_chars_max from 1 to 255"),
        (approval.replace("quantity_max = 100", "quantity_max = 0"), "quantity_max from 1"),
    ] {
        let message = refusal(&text);
        assert!(message.contains(expected), "expected `{expected}` in: {message}");
    }
}

#[test]
fn couriers_have_the_states_that_they_lead_from_and_to() {
    let lifecycle = Lifecycle::parse(SHIPPED_FILES[3]).unwrap();
    let handed = lifecycle.states().filter(|(id, _)| lifecycle.is_handed_to_couriers(*id));
    let handed: Vec<_> = handed.map(|(_, state)| state.name.to_string()).collect();
    assert_eq!(handed, ["PENDING_SHIPMENT", "SHIPPED", "DELIVERED", "RETURNED"]);
    assert_eq!(lifecycle.on_shipment(ShipmentStatus::InTransit), lifecycle.find("SHIPPED"));
    assert_eq!(lifecycle.on_shipment(ShipmentStatus::FailedAttempt), None);
    let wrong = SHIPPED_FILES[3].replace("in_transit = \"SHIPPED\"\nout_for_delivery = \"SHIPPED\"\ndelivered = \"DELIVERED\"\nreturned = \"RETURNED\"\n\n#", "#");
    let wrong = wrong.replace("[shipments]", "[shipments]\nlost = \"SHIPPED\"");
    assert!(refusal(&wrong).contains("`lost` is none of"));
}
