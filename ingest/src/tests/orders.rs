//! Tests of placing orders.

use http::StatusCode;
use orderflow_schemas::{Order, Topic};

use super::stage::Stage;
use crate::IngestSettings;

const CUSTOMER: [(&str, &str); 2] = [("x-orderflow-role", "customer"), ("x-orderflow-subject", "c-1")];
const ONE: &str = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}]}"#;
const SHORT: &str = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":100}]}"#;

fn keyed(key: &'static str) -> Vec<(&'static str, &'static str)> {
    CUSTOMER.into_iter().chain([("idempotency-key", key)]).collect()
}

#[tokio::test]
async fn an_order_is_answered_with_its_decision() {
    let stage = Stage::new(IngestSettings::default());
    let answer = stage.json("POST /orders", &CUSTOMER, ONE).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
    assert_eq!(answer.body["status"], "RESERVED");
    assert_eq!(answer.header("etag"), "\"2\"");
    assert_eq!(answer.header("location"), format!("/orders/{}", answer.body["id"].as_str().unwrap()));
    // The position is that of stock's reply, which decided the order.
    assert!(answer.header("orderflow-position").ends_with("@1000"), "{answer:?}");
}

#[tokio::test]
async fn an_order_that_stock_refuses_is_a_conflict_with_the_order() {
    let stage = Stage::new(IngestSettings::default());
    let answer = stage.json("POST /orders", &CUSTOMER, SHORT).await;
    assert_eq!(answer.problem(), (409, "out-of-stock"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(answer.body["order"]["status"], "FAILED");
    assert_eq!(answer.body["failures"][0]["available"], 5);
}

#[tokio::test]
async fn a_client_may_choose_not_to_wait_and_an_undecided_order_is_accepted() {
    let stage = Stage::undecided(IngestSettings { decision_within_s: 0, ..IngestSettings::default() });
    let headers: Vec<_> = CUSTOMER.into_iter().chain([("prefer", "respond-async, wait=1")]).collect();
    let answer = stage.json("POST /orders", &headers, ONE).await;
    assert_eq!((answer.status.as_u16(), answer.header("preference-applied")), (202, "respond-async"));
    assert!(answer.header("orderflow-position").ends_with("@0"));
    let answer = stage.json("POST /orders", &CUSTOMER, ONE).await;
    assert_eq!((answer.status.as_u16(), answer.header("preference-applied")), (202, ""));
    assert!(answer.header("location").starts_with("/orders/"));
    assert_eq!(stage.count(Topic::OrdersCommands), 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_says_how_long_it_waits_and_learns_whether_that_was_honoured() {
    let undecided = Stage::undecided(IngestSettings { decision_within_s: 1, ..IngestSettings::default() });
    let decided = Stage::new(IngestSettings::default());
    let change = r#"{"status":"ACCEPTED"}"#;
    let id = "/orders/0190aaaa-0000-7000-8000-000000000001";
    let status = format!("PATCH {id}/status");
    let cancel = format!("POST {id}/cancel");
    let product = r#"{"name":"A","unit_price":1,"currency":"EUR"}"#;
    let adjustment = r#"{"delta":1,"reason":"found"}"#;
    for (call, body) in [
        ("POST /orders", r#"{"currency":"EUR","customer_id":"c-1","lines":[{"sku":"a","quantity":1}]}"#),
        (&*status, change),
        (&*cancel, ""),
        ("POST /inventory/a/receipts", r#"{"quantity":1}"#),
        ("POST /inventory/a/adjustments", adjustment),
        ("PUT /products/a", product),
    ] {
        for (prefer, applied) in [
            ("wait=0", "wait=0"),
            ("foo, wait=\"1\"; bar=\"wait=0\"", "wait=1"),
            ("respond-async, wait=0", "respond-async, wait=0"),
            ("respond-async", "respond-async"),
            // The server's own wait was shorter, or nothing that is understood was preferred.
            ("wait=2", ""),
            ("wait=soon", ""),
        ] {
            let answer = undecided.json(call, &[("prefer", prefer)], body).await;
            assert_eq!(answer.status.as_u16(), 202, "{call} {prefer}: {answer:?}");
            assert_eq!(answer.header("preference-applied"), applied, "{call} {prefer}");
            assert!(answer.header("orderflow-position").contains('@'), "{call} {prefer}: {answer:?}");
        }
        let at_once = decided.json(call, &[], body).await;
        for prefer in ["wait=5", "respond-async, wait=5"] {
            let answer = decided.json(call, &[("prefer", prefer)], body).await;
            let (wanted, there) =
                ((at_once.status, ""), (answer.status, answer.header("preference-applied")));
            assert_eq!(there, wanted, "{call} {prefer}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_and_another_body_is_refused() {
    let stage = Stage::new(IngestSettings::default());
    let first = stage.json("POST /orders", &keyed("k"), ONE).await;
    let again = stage.json("POST /orders", &keyed("k"), ONE).await;
    assert_eq!(again.status, StatusCode::CREATED);
    assert_eq!((first.body, again.header("idempotent-replayed")), (again.body.clone(), "true"));
    assert_eq!(
        stage.json("POST /orders", &keyed("k"), SHORT).await.problem(),
        (422, "idempotency-key-reused")
    );
}

#[tokio::test]
async fn a_repeat_of_an_order_that_is_over_is_answered_from_the_store() {
    let stage = Stage::new(IngestSettings::default());
    let first = stage.json("POST /orders", &keyed("k"), SHORT).await;
    let order: Order = serde_json::from_value(first.body["order"].clone()).unwrap();
    let unknown = stage.json("POST /orders", &keyed("k"), SHORT).await;
    assert_eq!((unknown.status.as_u16(), unknown.body["id"].as_str()), (202, Some(&*order.id.to_string())));
    *stage.store.0.lock().unwrap() = Some(order);
    let again = stage.json("POST /orders", &keyed("k"), SHORT).await;
    assert_eq!((again.problem(), again.header("idempotent-replayed")), ((409, "out-of-stock"), "true"));
}

#[tokio::test]
async fn bad_requests_never_reach_the_log() {
    let stage = Stage::new(IngestSettings::default());
    let calls = [
        (stage.call("POST /orders", &CUSTOMER, ONE).await, (415, "unsupported-media-type")),
        (stage.json("POST /orders", &CUSTOMER, "x".repeat(1001)).await, (413, "body-too-large")),
        (stage.json("POST /orders", &CUSTOMER, "{").await, (400, "malformed-json")),
        (stage.json("POST /orders", &CUSTOMER, "{}").await, (400, "invalid-request")),
        (stage.json("POST /orders", &keyed("a b"), ONE).await, (400, "invalid-idempotency-key")),
        (stage.json("POST /orders", &[("x-orderflow-role", "courier")], ONE).await, (403, "forbidden")),
        (stage.json("POST /orders", &[("x-orderflow-role", "king")], ONE).await, (400, "invalid-role")),
        (stage.json("POST /orders", &[], ONE).await, (400, "invalid-request")),
    ];
    for (answer, wanted) in calls {
        assert_eq!(answer.problem(), wanted, "{answer:?}");
    }
    assert_eq!(stage.count(Topic::OrdersCommands), 0);
}

#[tokio::test]
async fn a_stopped_ingest_takes_nothing_and_the_bound_on_waiters_holds() {
    let stage = Stage::new(IngestSettings { waiters_max: 0, ..IngestSettings::default() });
    let answer = stage.json("POST /orders", &CUSTOMER, ONE).await;
    assert_eq!((answer.problem(), answer.header("retry-after")), ((503, "overloaded"), "1"));
    stage.ingest.stop().await;
    assert_eq!(stage.json("POST /orders", &CUSTOMER, ONE).await.problem(), (503, "shutting-down"));
}
