//! Tests of changing orders, stock and the catalogue.

use orderflow_schemas::Order;
use serde_json::json;

use super::stage::Stage;
use crate::IngestSettings;

const CUSTOMER: [(&str, &str); 2] = [("x-orderflow-role", "customer"), ("x-orderflow-subject", "c-1")];
const ONE: &str = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}]}"#;

async fn placed(stage: &Stage) -> Order {
    let answer = stage.json("POST /orders", &CUSTOMER, ONE).await;
    serde_json::from_value(answer.body).unwrap()
}

#[tokio::test]
async fn an_order_is_moved_by_status_and_by_action() {
    let stage = Stage::new(IngestSettings::default());
    let id = placed(&stage).await.id;
    let patch = format!("PATCH /orders/{id}/status");
    let answer = stage.json(&patch, &[("if-match", "\"17\", \"2\"")], r#"{"status":"ACCEPTED"}"#).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "\"3\""), "{answer:?}");
    for stale in ["\"2\"", "\"1\", \"2\"", "W/\"3\"", "\"x\""] {
        let stale = stage.json(&patch, &[("if-match", stale)], r#"{"status":"PREPARED"}"#).await;
        assert_eq!(stale.problem(), (412, "stale-version"));
    }
    let stale = stage.json(&patch, &[("if-match", "\"2\"")], r#"{"status":"PREPARED"}"#).await;
    assert_eq!((stale.problem(), &stale.body["version"]), ((412, "stale-version"), &json!(3)));
    let illegal = stage.json(&patch, &[], r#"{"status":"DELIVERED"}"#).await;
    assert_eq!(
        (illegal.problem(), &illegal.body["allowed"]),
        ((409, "illegal-transition"), &json!(["ACCEPTED"]))
    );
    let canceled = stage.call(&format!("DELETE /orders/{id}"), &[], "").await;
    assert_eq!((canceled.status.as_u16(), &canceled.body["status"]), (200, &json!("CANCELED")));
    let id = placed(&stage).await.id;
    let rejected = stage.json(&format!("POST /orders/{id}/reject"), &[], r#"{"reason":"no"}"#).await;
    assert_eq!(rejected.status.as_u16(), 200);
}

#[tokio::test]
async fn wrong_ids_versions_and_statuses_are_refused() {
    let stage = Stage::new(IngestSettings::default());
    let id = "0190aaaa-0000-7000-8000-000000000001";
    let patch = format!("PATCH /orders/{id}/status");
    let body = r#"{"status":"ACCEPTED"}"#;
    let calls = [
        (stage.json("PATCH /orders/17/status", &[], body).await, (400, "invalid-id")),
        (stage.call("POST /orders/17/cancel", &[], "").await, (400, "invalid-id")),
        (stage.json(&patch, &[("if-match", "2")], body).await, (400, "invalid-if-match")),
        (stage.json(&patch, &[], r#"{"status":"GONE"}"#).await, (400, "unknown-status")),
        (stage.json(&patch, &[], body).await, (404, "order-not-found")),
    ];
    for (answer, wanted) in calls {
        assert_eq!(answer.problem(), wanted, "{answer:?}");
    }
}

#[tokio::test]
async fn an_order_that_is_over_cannot_be_moved_and_only_its_owner_learns_of_it() {
    let stage = Stage::new(IngestSettings::default());
    let mut order = placed(&stage).await;
    order.id = "0190aaaa-0000-7000-8000-000000000001".parse().unwrap();
    let cancel = format!("POST /orders/{}/cancel", order.id);
    *stage.store.0.lock().unwrap() = Some(order);
    let answer = stage.call(&cancel, &CUSTOMER, "").await;
    assert_eq!((answer.problem(), &answer.body["allowed"]), ((409, "illegal-transition"), &json!([])));
    let other = [("x-orderflow-role", "customer"), ("x-orderflow-subject", "c-2")];
    assert_eq!(stage.call(&cancel, &other, "").await.problem(), (404, "order-not-found"));
}

#[tokio::test]
async fn stock_and_products_are_answered_with_what_was_decided() {
    let stage = Stage::new(IngestSettings::default());
    let received = stage.json("POST /inventory/a/receipts", &[], r#"{"quantity":7}"#).await;
    let levels = json!({"sku":"a","received":7,"available":7,"reserved":0,"shipped":0,"written_off":0});
    assert_eq!((received.status.as_u16(), &received.body), (200, &levels), "{received:?}");
    assert!(received.header("orderflow-position").starts_with("stock.commands:"));
    let product = json!({"name":"A","unit_price":5,"currency":"EUR"});
    let put = stage.json("PUT /products/a", &[], product.to_string()).await;
    assert_eq!(put.body, json!({"sku":"a","name":"A","unit_price":5,"currency":"EUR"}));
    let adjusted = stage.json("POST /inventory/a/adjustments", &[], r#"{"delta":-3,"reason":"x"}"#).await;
    assert_eq!(adjusted.problem(), (409, "negative-stock"));
    let customer = stage.json("POST /inventory/a/receipts", &CUSTOMER, r#"{"quantity":7}"#).await;
    assert_eq!(customer.problem(), (403, "forbidden"));
}
