//! Who may read what.

use orderflow_web::{Reach, access::ROLES};

use super::*;

#[tokio::test]
async fn each_route_is_open_to_the_roles_of_its_action_and_to_no_other() {
    let fixture = fixture().await;
    for route in &fixture.declared {
        let path = route.path.replace("/user/{id}", "/user/ann").replace("{id}", &id(2).to_string());
        let path = path.replace("{sku}", "A").replace("{topic}/{partition}", "orders.commands/0");
        for role in ROLES {
            // Order 2 belongs to Ann.
            for (subject, is_owner) in [("ann", true), ("bob", false)] {
                let request = Request::builder().method(&route.method).uri(&path);
                let request = request.header("x-orderflow-role", role.as_str());
                let request =
                    request.header("x-orderflow-subject", subject).header("content-type", "application/json");
                let body = Body::from(if route.method == "POST" {
                    r#"{"lines":[{"sku":"A","quantity":1}]}"#
                } else {
                    ""
                });
                let answer = fixture.send(request.body(body).unwrap()).await;
                let reach = match route.action {
                    Some(action) => action.reach(role),
                    None => Some(Reach::All),
                };
                let owned = path.contains(&id(2).to_string()) || path.contains("ann");
                // The order is not in a state that is handed to couriers.
                let is_foreign =
                    (reach == Some(Reach::Own) && owned && !is_owner) || reach == Some(Reach::Handed);
                let expected = match reach {
                    None => Some((403, "forbidden")),
                    // Another's order is answered as one that does not exist.
                    Some(_) if is_foreign && !path.contains("ann") => Some((404, "order-not-found")),
                    Some(_) if is_foreign => Some((403, "forbidden")),
                    Some(_) => None,
                };
                let call = format!("{} {path} as {role:?} {subject}", route.method);
                let slug =
                    if answer.status.is_client_error() { answer.json()["type"].clone() } else { Value::Null };
                let refused = slug.as_str().map(|slug| (answer.status.as_u16(), slug));
                // The word of a route may also be a SKU, which nobody has put into the catalogue.
                let refused = refused.filter(|(_, slug)| *slug != "unknown-sku");
                assert_eq!(refused, expected, "{call}");
                if route.method == "GET" {
                    let request = Request::head(&path).header("x-orderflow-role", role.as_str());
                    let request = request.header("x-orderflow-subject", subject);
                    let head = fixture.send(request.body(Body::empty()).unwrap()).await;
                    assert_eq!(head.status, answer.status, "HEAD as {call}");
                }
            }
        }
    }
}

#[tokio::test]
async fn customers_list_their_own_orders_only() {
    let fixture = fixture().await;
    for (caller, path, expected) in [
        ("customer:ann", "/orders", 200),
        ("customer:ann", "/orders?customer_id=ann", 200),
        ("customer:bob", "/orders?customer_id=ann", 403),
        ("customer:bob", "/orders/user/ann", 403),
        ("analyst", "/orders?customer_id=ann", 200),
        ("courier", "/orders", 403),
    ] {
        assert_eq!(fixture.get_as(caller, path).await.status.as_u16(), expected, "{caller} {path}");
    }
    let own = fixture.get_as("customer:ann", "/orders").await.json();
    assert!(own["items"].as_array().unwrap().iter().all(|order| order["customer_id"] == "ann"));
}

#[tokio::test]
async fn probes_and_scrapes_are_no_callers() {
    let fixture = fixture().await;
    for path in ["/health", "/health/live", "/health/ready", "/metrics"] {
        let request = Request::get(path).header("x-orderflow-role", "nobody").header("host", "shop.example");
        let answer = fixture.send(request.body(Body::empty()).unwrap()).await;
        assert!(answer.status == 200 || answer.status == 503, "{path}: {}", answer.status);
    }
    let request = Request::get("/inventory").header("host", "shop.example").body(Body::empty()).unwrap();
    assert_eq!(fixture.send(request).await.status, StatusCode::FORBIDDEN);
}
