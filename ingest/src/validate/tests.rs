use orderflow_schemas::{
    Amount, IdempotencyKey, Lifecycle, OrderId, OrderLine, Role, Sku, commands::PlaceOrder,
};
use orderflow_web::{CallKey, Caller, Problem, body};
use proptest::prelude::*;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::requests::{AdjustmentRequest, OrderRequest, StatusRequest};

fn caller(role: Role) -> Caller {
    Caller::new(role, "c-1")
}

fn placed(json: &str, role: Role, key: Option<&str>) -> Result<PlaceOrder, Problem> {
    let caller = caller(role);
    let key = key.map(|key| IdempotencyKey::new(key).unwrap());
    let lifecycle = Lifecycle::parse(include_str!("../../../pipelines/order-tracking.toml")).unwrap();
    let request = body::parse::<OrderRequest>(json.as_bytes())?;
    place(request, key, &Owner::of(&caller)?, &caller, Uuid::nil(), &lifecycle)
}

fn pointers(problem: &Problem) -> Vec<&str> {
    problem.errors().iter().map(|error| error.pointer.as_str()).collect()
}

#[test]
fn bad_orders_are_refused_with_a_pointer_to_each_field() {
    let lines_501 =
        json!({"currency": "EUR", "lines": vec![json!({"sku": "a", "quantity": 1}); 501]}).to_string();
    let notes = json!({"currency": "EUR", "lines": [{"sku": "a", "quantity": 1}], "notes": "é".repeat(1001)})
        .to_string();
    let cases: &[(&str, &str, &[&str])] = &[
        (r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}"#, "malformed-json", &[]),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}],"color":1}"#,
            "invalid-request",
            &["/color"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1,"x":1}]}"#,
            "invalid-request",
            &["/lines/0/x"],
        ),
        (r#"{"lines":[{"sku":"a","quantity":1}]}"#, "invalid-request", &["/currency"]),
        (r#"{"currency":"EUR","lines":[{"sku":"a"}]}"#, "invalid-request", &["/lines/0/quantity"]),
        (r#"{"currency":"EUR","lines":[]}"#, "invalid-request", &["/lines"]),
        (&lines_501, "invalid-request", &["/lines"]),
        (&notes, "invalid-request", &["/notes"]),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":0}]}"#,
            "invalid-request",
            &["/lines/0/quantity"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":-1}]}"#,
            "invalid-request",
            &["/lines/0/quantity"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1.5}]}"#,
            "invalid-request",
            &["/lines/0/quantity"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1000001}]}"#,
            "invalid-request",
            &["/lines/0/quantity"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":99999999999999999999}]}"#,
            "invalid-request",
            &["/lines/0/quantity"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":"1"}]}"#,
            "invalid-request",
            &["/lines/0/quantity"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":600000},{"sku":"a","quantity":600000}]}"#,
            "invalid-request",
            &["/lines/1/quantity"],
        ),
        (
            r#"{"currency":"XXY","lines":[{"sku":"a b","quantity":0,"unit_price":1000000000001}],"placed_at":"now"}"#,
            "invalid-request",
            &["/currency", "/lines/0/sku", "/lines/0/quantity", "/lines/0/unit_price", "/placed_at"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1000000,"unit_price":1000000000000}]}"#,
            "total-too-large",
            &["/lines"],
        ),
        (
            r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}],"customer_id":"c-2"}"#,
            "forbidden",
            &["/customer_id"],
        ),
    ];
    for (json, slug, wanted) in cases {
        let problem = placed(json, Role::Customer, None).unwrap_err();
        assert_eq!(
            (problem.slug(), pointers(&problem).as_slice()),
            (*slug, *wanted),
            "{json:.120}: {problem}"
        );
    }
}

#[test]
fn orders_are_for_the_caller_or_for_whom_a_service_names() {
    let plain = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}]}"#;
    let named = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}],"customer_id":"c-2"}"#;
    assert_eq!(placed(plain, Role::Customer, None).unwrap().customer_id.as_str(), "c-1");
    assert_eq!(placed(named, Role::Service, None).unwrap().customer_id.as_str(), "c-2");
    assert_eq!(pointers(&placed(plain, Role::Admin, None).unwrap_err()), ["/customer_id"]);
    for role in [Role::Courier, Role::Analyst] {
        assert_eq!(placed(named, role, None).unwrap_err().slug(), "forbidden");
    }
}

#[test]
fn lines_of_one_sku_and_price_are_added_up() {
    let json = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1},{"sku":"b","quantity":1,"unit_price":5},
        {"sku":"a","quantity":2},{"sku":"b","quantity":3,"unit_price":6},{"sku":"b","quantity":4,"unit_price":5}]}"#;
    let line = |sku: &str, quantity, price: Option<u64>| OrderLine {
        sku: Sku::new(sku).unwrap(),
        quantity,
        unit_price: price.map(Amount),
    };
    let wanted = [line("a", 3, None), line("b", 5, Some(5)), line("b", 3, Some(6))];
    assert_eq!(placed(json, Role::Customer, None).unwrap().lines.skus(), wanted);
}

#[test]
fn a_key_may_come_in_the_header_or_in_the_body_but_not_as_two() {
    let json = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}],"idempotency_key":"k"}"#;
    let from_body = placed(json, Role::Customer, None).unwrap().idempotency;
    let from_both = placed(json, Role::Customer, Some("k")).unwrap().idempotency;
    assert!(from_body.is_some());
    assert_eq!(from_body, from_both);
    assert_eq!(pointers(&placed(json, Role::Customer, Some("other")).unwrap_err()), ["/idempotency_key"]);
}

#[test]
fn statuses_and_actions_are_those_of_the_lifecycle() {
    let lifecycle = Lifecycle::parse(include_str!("../../../pipelines/delivery.toml")).unwrap();
    let id = "0190aaaa-0000-7000-8000-000000000001".parse::<OrderId>().unwrap();
    let to = |status: &str, role| {
        let request = StatusRequest { status: status.into(), reason: None };
        change_status(id, request, Default::default(), &caller(role), &lifecycle)
            .map(|command| command.status.to_string())
    };
    assert_eq!(to("picked_up", Role::Courier).unwrap(), "picked_up");
    assert_eq!(to("picked_up", Role::Admin).unwrap_err().slug(), "unknown-status");
    let act = |action| {
        perform(id, action, Default::default(), Default::default(), &caller(Role::Admin), &lifecycle)
    };
    assert_eq!(act("cancel").unwrap().status.as_str(), "CANCELED");
    assert_eq!(act("approve").unwrap_err().slug(), "illegal-transition");
}

#[test]
fn adjustments_need_a_change_and_a_reason() {
    for (json, wanted) in [
        (r#"{"delta":0,"reason":"x"}"#, vec!["/delta"]),
        (r#"{"delta":1.5,"reason":" "}"#, vec!["/delta", "/reason"]),
        (r#"{"delta":-3,"reason":"broken"}"#, vec![]),
    ] {
        let request: AdjustmentRequest = body::parse(json.as_bytes()).unwrap();
        let result = adjust(Sku::new("a").unwrap(), request, CallKey::default(), &caller(Role::Admin));
        assert_eq!(result.as_ref().err().map(pointers).unwrap_or_default(), wanted, "{json}");
    }
}

/// Any order within the limits, as JSON.
fn order() -> impl Strategy<Value = serde_json::Value> {
    let line =
        ("[a-d]{1,2}", 1..1000u32, proptest::option::of(0..1000u64)).prop_map(|(sku, quantity, price)| {
            let mut line = json!({"sku": sku, "quantity": quantity});
            if let Some(price) = price {
                line["unit_price"] = json!(price);
            }
            line
        });
    let text = || proptest::option::of("[a-z]{0,4}");
    (proptest::collection::vec(line, 1..4), text(), text(), prop_oneof!["EUR", "USD"]).prop_map(
        |(lines, channel, notes, currency)| {
            json!({"currency": currency, "lines": lines, "channel": channel, "notes": notes})
        },
    )
}

proptest! {
    #[test]
    fn any_body_is_an_order_or_a_problem(json in r#"[\{\}\[\]:,"0-9a-z.\-]{0,80}"#) {
        let _ = placed(&json, Role::Customer, None);
    }

    #[test]
    fn any_numbers_are_an_order_or_a_problem(quantity: f64, big: u64, price: i64) {
        let json = json!({"currency": "EUR", "lines": [
            {"sku": "a", "quantity": quantity}, {"sku": "b", "quantity": big, "unit_price": price}]});
        let _ = placed(&json.to_string(), Role::Customer, None);
    }

    #[test]
    fn fingerprints_are_equal_exactly_for_equal_requests(a in order(), b in order()) {
        let placed = |order: &serde_json::Value| placed(&order.to_string(), Role::Customer, Some("k")).unwrap();
        let content = |order: PlaceOrder| (order.currency, order.lines, order.channel, order.notes);
        let (a1, a2, b) = (placed(&a), placed(&a), placed(&b));
        prop_assert_eq!(&a1.idempotency, &a2.idempotency);
        let same_key = a1.idempotency == b.idempotency;
        prop_assert_eq!(same_key, content(a1) == content(b));
    }
}
