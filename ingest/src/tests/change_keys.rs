//! Tests of idempotency keys of changes: of orders, stock and the catalogue.

use orderflow_schemas::{Order, OrderId};
use serde_json::json;

use super::stage::{Answer, Stage};
use crate::IngestSettings;

const ADMIN: [(&str, &str); 1] = [("x-orderflow-role", "admin")];
const CUSTOMER: [(&str, &str); 2] = [("x-orderflow-role", "customer"), ("x-orderflow-subject", "c-1")];
const OTHER: [(&str, &str); 2] = [("x-orderflow-role", "customer"), ("x-orderflow-subject", "c-2")];
const ONE: &str = r#"{"currency":"EUR","lines":[{"sku":"a","quantity":1}]}"#;
const PRODUCT: &str = r#"{"name":"A","unit_price":5,"currency":"EUR"}"#;

async fn placed(stage: &Stage) -> OrderId {
    let answer = stage.json("POST /orders", &CUSTOMER, ONE).await;
    answer.body["id"].as_str().unwrap().parse().unwrap()
}

/// Sends a request under a key.
async fn under(stage: &Stage, key: &str, caller: &[(&str, &str)], call: &str, body: &str) -> Answer {
    let headers: Vec<_> = caller.iter().copied().chain([("idempotency-key", key)]).collect();
    stage.json(call, &headers, body.to_owned()).await
}

fn is_replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == "true"
}

#[tokio::test]
async fn a_repeated_change_gets_the_first_status_and_the_order_as_it_is_now() {
    let stage = Stage::new(IngestSettings::default());
    let patch = format!("PATCH /orders/{}/status", placed(&stage).await);
    let accepted = r#"{"status":"ACCEPTED","reason":"paid"}"#;
    let first = under(&stage, "k", &ADMIN, &patch, accepted).await;
    assert_eq!((first.status.as_u16(), is_replayed(&first)), (200, false), "{first:?}");
    assert_eq!(stage.json(&patch, &[], r#"{"status":"PREPARED"}"#).await.status.as_u16(), 200);

    let headers = [("idempotency-key", "k"), ("if-match", "\"2\"")];
    let again = stage.json(&patch, &headers, accepted).await;
    assert_eq!((again.status.as_u16(), is_replayed(&again)), (200, true), "{again:?}");
    assert_eq!((again.body["status"].as_str(), again.header("etag")), (Some("PREPARED"), "\"4\""));
    assert!(again.header("orderflow-position").starts_with("orders.commands:"), "{again:?}");

    for other in [r#"{"status":"ACCEPTED"}"#, r#"{"status":"SHIPPED","reason":"paid"}"#] {
        let reused = under(&stage, "k", &ADMIN, &patch, other).await;
        assert_eq!((reused.problem(), is_replayed(&reused)), ((422, "idempotency-key-reused"), false));
    }
}

#[tokio::test]
async fn a_rejected_change_is_rejected_again_with_the_first_status() {
    let stage = Stage::new(IngestSettings::default());
    let patch = format!("PATCH /orders/{}/status", placed(&stage).await);
    let delivered = r#"{"status":"DELIVERED"}"#;
    let first = under(&stage, "k", &ADMIN, &patch, delivered).await;
    assert_eq!((first.problem(), is_replayed(&first)), ((409, "illegal-transition"), false));
    let headers = [("idempotency-key", "l"), ("if-match", "\"17\"")];
    let stale = stage.json(&patch, &headers, r#"{"status":"ACCEPTED"}"#).await;
    assert_eq!((stale.problem(), is_replayed(&stale)), ((412, "stale-version"), false));

    stage.json(&patch, &[], r#"{"status":"ACCEPTED"}"#).await;
    let again = under(&stage, "k", &ADMIN, &patch, delivered).await;
    assert_eq!((again.problem(), is_replayed(&again)), ((409, "illegal-transition"), true));
    assert_eq!((&again.body["version"], again.header("etag")), (&json!(3), "\"3\""), "{again:?}");
    let again = under(&stage, "l", &ADMIN, &patch, r#"{"status":"ACCEPTED"}"#).await;
    assert_eq!((again.problem(), is_replayed(&again)), ((412, "stale-version"), true));
}

#[tokio::test]
async fn a_repeat_for_an_order_that_is_over_is_answered_from_the_store() {
    let stage = Stage::new(IngestSettings::default());
    let id = placed(&stage).await;
    let (cancel, patch) = (format!("POST /orders/{id}/cancel"), format!("PATCH /orders/{id}/status"));
    let illegal = r#"{"status":"DELIVERED"}"#;
    under(&stage, "i", &CUSTOMER, &patch, illegal).await;
    let first = under(&stage, "k", &CUSTOMER, &cancel, "").await;
    assert_eq!((first.status.as_u16(), &first.body["status"]), (200, &json!("CANCELED")), "{first:?}");
    assert_eq!(under(&stage, "k", &CUSTOMER, &cancel, "").await.problem(), (404, "order-not-found"));

    let order: Order = serde_json::from_value(first.body.clone()).unwrap();
    *stage.store.0.lock().unwrap() = Some(order.clone());
    let again = under(&stage, "k", &CUSTOMER, &cancel, "{}").await;
    assert_eq!((again.status.as_u16(), is_replayed(&again)), (200, true), "{again:?}");
    assert_eq!((&again.body, again.header("etag")), (&first.body, first.header("etag")));
    let again = under(&stage, "i", &CUSTOMER, &patch, illegal).await;
    assert_eq!((again.problem(), is_replayed(&again)), ((409, "illegal-transition"), true));
    assert_eq!((&again.body["allowed"], &again.body["version"]), (&json!([]), &json!(order.version)));
    let reused = under(&stage, "k", &CUSTOMER, &cancel, r#"{"reason":"late"}"#).await;
    assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
    // Without the first key, the order is over.
    assert_eq!(under(&stage, "l", &CUSTOMER, &cancel, "").await.problem(), (409, "illegal-transition"));

    *stage.store.0.lock().unwrap() = Some(Order { version: 0, ..order });
    let away = under(&stage, "k", &CUSTOMER, &cancel, "").await;
    assert_eq!((away.problem(), away.header("retry-after")), ((503, "store-unavailable"), "1"));
}

#[tokio::test]
async fn a_repeat_of_a_caller_who_may_not_make_the_change_is_answered_as_without_a_key() {
    let stage = Stage::new(IngestSettings::default());
    let id = placed(&stage).await;
    let cancel = format!("DELETE /orders/{id}");
    let first = under(&stage, "k", &CUSTOMER, &cancel, "").await;
    let order: Order = serde_json::from_value(first.body).unwrap();
    *stage.store.0.lock().unwrap() = Some(order.clone());
    let (keyed, plain) =
        (under(&stage, "k", &OTHER, &cancel, "").await, stage.json(&cancel, &OTHER, "").await);
    assert_eq!((keyed.problem(), &keyed.body), ((404, "order-not-found"), &plain.body));
    // The order now belongs to another customer.
    let customer_id = "c-2".parse().unwrap();
    *stage.store.0.lock().unwrap() = Some(Order { customer_id, ..order });
    let (keyed, plain) =
        (under(&stage, "k", &CUSTOMER, &cancel, "").await, stage.json(&cancel, &CUSTOMER, "").await);
    assert_eq!((keyed.problem(), &keyed.body), ((404, "order-not-found"), &plain.body));

    let reused = under(&stage, "k", &CUSTOMER, &cancel, r#"{"reason":"late"}"#).await;
    assert_eq!((reused.problem(), &reused.body), ((404, "order-not-found"), &plain.body));

    under(&stage, "k", &ADMIN, "PUT /products/a", PRODUCT).await;
    let refused = under(&stage, "k", &CUSTOMER, "PUT /products/a", PRODUCT).await;
    assert_eq!((refused.problem(), is_replayed(&refused)), ((403, "forbidden"), false));
}

#[tokio::test]
async fn a_key_of_a_change_belongs_to_its_caller_and_its_call() {
    let stage = Stage::new(IngestSettings::default());
    let id = placed(&stage).await;
    let (patch, cancel) = (format!("PATCH /orders/{id}/status"), format!("POST /orders/{id}/cancel"));
    let accepted = r#"{"status":"ACCEPTED"}"#;
    under(&stage, "k", &ADMIN, &patch, accepted).await;
    let service = [("x-orderflow-role", "service"), ("x-orderflow-subject", "admin")];
    let of_another = under(&stage, "k", &service, &patch, accepted).await;
    assert_eq!((of_another.status.as_u16(), is_replayed(&of_another)), (200, false));
    // An id in capitals is the same path.
    let upper = format!("PATCH /orders/{}/status", id.to_string().to_uppercase());
    assert!(is_replayed(&under(&stage, "k", &ADMIN, &upper, accepted).await));
    let of_another_call = under(&stage, "k", &ADMIN, &cancel, "").await;
    assert_eq!((of_another_call.status.as_u16(), is_replayed(&of_another_call)), (200, false));
}

#[tokio::test]
async fn products_take_keys() {
    let stage = Stage::new(IngestSettings::default());
    for path in ["PUT /products/a", "PUT /products/batch"] {
        let first = under(&stage, "k", &ADMIN, path, PRODUCT).await;
        let again = under(&stage, "k", &ADMIN, path, PRODUCT).await;
        assert_eq!((is_replayed(&first), is_replayed(&again)), (false, true), "{again:?}");
        assert_eq!((first.status, &first.body), (again.status, &again.body));
        let dearer = PRODUCT.replace('5', "6");
        let reused = under(&stage, "k", &ADMIN, path, &dearer).await;
        assert_eq!(reused.problem(), (422, "idempotency-key-reused"));
    }
}
