//! Calls every route in every role.

use http::Method;
use orderflow_web::access::ROLES;

use super::stage::Stage;
use crate::{IngestSettings, routes};

/// A well-formed request, so that only the role decides the response.
fn sample(method: &Method, path: &str) -> (String, &'static str, &'static str) {
    let order = "0190aaaa-0000-7000-8000-000000000001";
    let path = path.replace("{id}", order).replace("{order_id}", order).replace("{sku}", "A");
    let (media, body) = match (method.as_str(), path.as_str()) {
        (_, "/orders/batch" | "/inventory/batch") | ("POST", "/products/batch") => {
            ("application/x-ndjson", "")
        }
        (_, "/orders") => {
            ("application/json", r#"{"currency":"EUR","lines":[{"sku":"A","quantity":1}],"customer_id":"c"}"#)
        }
        (_, path) if path.ends_with("/status") => ("application/json", r#"{"status":"ACCEPTED"}"#),
        (_, path) if path.ends_with("/receipts") => ("application/json", r#"{"quantity":1}"#),
        (_, path) if path.ends_with("/adjustments") => {
            ("application/json", r#"{"delta":1,"reason":"found"}"#)
        }
        (_, path) if path.ends_with("/courier") => ("application/json", r#"{"client_id":"c"}"#),
        (_, path) if path.ends_with("/events") => ("application/json", r#"{"status":"picked_up"}"#),
        (_, path) if path.ends_with("/returns") => {
            ("application/json", r#"{"lines":[{"line":1,"quantity":1,"to":"stock"}]}"#)
        }
        ("PUT", _) => ("application/json", r#"{"name":"a","unit_price":1,"currency":"EUR"}"#),
        _ => ("application/json", ""),
    };
    (format!("{method} {path}"), media, body)
}

#[tokio::test]
async fn each_route_is_open_to_the_roles_of_its_action_and_to_no_other() {
    let stage = Stage::new(IngestSettings::default());
    let declared = routes(stage.ingest.clone());
    for route in declared.declared() {
        let action = route.action.expect("nothing is written without a caller");
        let (call, media, body) = sample(&route.method, route.path);
        for role in ROLES {
            let headers =
                [("x-orderflow-role", role.as_str()), ("x-orderflow-subject", "c"), ("content-type", media)];
            let answer = stage.call(&call, &headers, body).await;
            let refused = answer.header("content-type") == "application/problem+json"
                && answer.problem() == (403, "forbidden")
                && answer.body["detail"].as_str().is_some_and(|detail| detail.contains("may not do this"));
            assert_eq!(!refused, action.reach(role).is_some(), "{call} as {role:?}: {answer:?}");
            assert_ne!(answer.status.as_u16(), 400, "{call} is well-formed: {answer:?}");
        }
    }
}
