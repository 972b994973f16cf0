//! Approval: what cannot be asked for, and who cannot decide.

use orderflow_tests::{Answer, Client, path_of, wait_until};
use serde_json::{Value, json};

use super::{follow::follow, people::Shop};

#[test]
fn the_page_of_approvals_is_true() {
    follow("approval");
}

fn ask(customer: &Client, line: Value) -> Answer {
    customer.post("/orders", &json!({ "lines": [line] }))
}

#[test]
fn items_are_asked_for_by_name_and_only_the_seller_decides() {
    let shop = Shop::open("approval");
    let (admin, cleo, dan) = (&shop.admin, shop.customer("Cleo Martin"), shop.customer("Dan Martinez"));
    let wrong = [
        json!({ "sku": "DESK", "quantity": 1 }),
        json!({ "item": "Desk", "sku": "DESK", "quantity": 1 }),
        json!({ "item": "Desk", "quantity": 1, "unit_price": 100 }),
        json!({ "item": "", "quantity": 1 }),
        json!({ "item": "x".repeat(256), "quantity": 1 }),
        json!({ "item": "Desk", "quantity": 101 }),
        json!({ "item": "Desk", "quantity": 0 }),
        json!({ "item": "Desk" }),
    ];
    for line in wrong {
        let answer = ask(&cleo, line.clone());
        assert_eq!(answer.status, 400, "{line}: {}", answer.text());
        assert!(answer.text().contains("/lines/0"), "{line}: {}", answer.text());
    }
    let lines = json!([{ "item": "Desk", "quantity": 1 }]);
    cleo.post("/orders", &json!({ "lines": lines, "currency": "EUR" })).is_problem(400, "invalid-request");
    cleo.post("/orders", &json!({ "lines": lines, "reserve_for": 60 })).is_problem(400, "invalid-request");
    let long = json!({ "lines": lines, "notes": "x".repeat(1_001) });
    cleo.post("/orders", &long).is_problem(400, "invalid-request");

    let path = path_of(&ask(&cleo, json!({ "item": "Desk", "quantity": 100 })).is(201));
    let other = path_of(&ask(&dan, json!({ "item": "Chair", "quantity": 1 })).is(201));
    for action in ["approve", "reject"] {
        cleo.post(&format!("{path}/{action}"), &json!({})).is_problem(403, "forbidden");
        dan.post(&format!("{path}/{action}"), &json!({})).is_problem(404, "order-not-found");
    }
    cleo.post(&format!("{path}/cancel"), &json!({})).is_problem(409, "illegal-transition");

    // A repeat under the same key is harmless, and of two different decisions the first one counts.
    let keyed = admin.with("idempotency-key", "decide-1");
    let first = keyed.post(&format!("{path}/approve"), &json!({})).is(200);
    let again = keyed.post(&format!("{path}/approve"), &json!({})).is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.json(), again.json());
    admin.post(&format!("{path}/reject"), &json!({})).is_problem(409, "illegal-transition");
    let id = admin.get("/auth/profile").is(200).json()["id"].clone();
    assert_eq!(first.json()["acted_by"], id);
    assert_eq!(first.json()["acted_at"], first.json()["updated_at"]);
    assert_eq!(cleo.after(&first).get(&path).is(200).json(), first.json());
    wait_until("the other order is shown", || (dan.get(&other).status == 200).then_some(()));
    assert_eq!(dan.get(&other).json()["acted_by"], Value::Null, "nobody has decided on it yet");
    shop.close();
}

#[test]
fn names_of_customers_are_for_admins() {
    let shop = Shop::open("approval");
    let (admin, cleo) = (&shop.admin, shop.customer("Cleo Martin"));
    let placed = ask(&cleo, json!({ "item": "Desk", "quantity": 1 })).is(201);
    let find = |query: &str| admin.after(&placed).get(&format!("/orders?{query}"));
    let found = |query: &str| find(query).is(200).json()["items"].as_array().unwrap().len();
    assert_eq!(found("customer_name=Cleo%20Martin"), 1);
    assert_eq!(found("customer_name=CLEO%20MARTIN&status=PENDING"), 1);
    assert_eq!(found("customer_name=Cleo%20Martin&status=APPROVED"), 0);
    assert_eq!(found("customer_name_contains=leo%20m"), 1);
    for nobody in ["customer_name=Cleo", "customer_name_contains=%25", "customer_name_contains=C_eo"] {
        assert_eq!(found(nobody), 0, "{nobody}");
    }
    for wrong in ["customer_name=", "customer_name_contains=", "customer_name=a&customer_name_contains="] {
        let answer = find(wrong);
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    cleo.get("/orders?customer_name=Cleo%20Martin").is_problem(403, "forbidden");
    cleo.get("/orders?customer_name_contains=leo").is_problem(403, "forbidden");
    shop.close();
}
