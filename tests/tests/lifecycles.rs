//! The built-in lifecycles, each run over HTTP from the first state to the last.

use orderflow_tests::{
    Answer, Client, Server, Stage, change, order, path_of, repository, supply, wait_levels,
};
use serde_json::{Value, json};

/// Runs a test under a built-in pipeline twice: given by its file, then by its name.
fn tell(name: &str, story: impl Fn(&Server)) {
    let file = repository().join("pipelines").join(format!("{name}.toml"));
    for pipeline in [file.to_str().unwrap(), name] {
        let stage = Stage::new().pipeline(pipeline);
        let server = stage.serve();
        assert!(server.stderr().contains(&format!("orderflow serves {name} on")), "{}", server.stderr());
        supply(&server.admin(), "tea", 1299, 10);
        story(&server);
        server.stop();
        stage.verify_clean();
    }
}

fn place(customer: &Client, units: u64) -> Answer {
    customer.post("/orders", &order(&[("tea", units)]))
}

#[track_caller]
fn stands(answer: &Answer, status: &str, version: u64) -> String {
    let order = answer.json();
    assert_eq!((&order["status"], &order["version"]), (&status.into(), &version.into()), "{order}");
    path_of(answer)
}

#[track_caller]
fn statuses(caller: &Client, order: &str) -> Vec<String> {
    let text = |change: Value| change["status"].as_str().expect("a change has a status").to_owned();
    caller.list(&format!("/search{order}/history"), 50).into_iter().map(text).collect()
}

#[test]
fn order_tracking_leads_from_created_to_delivered() {
    tell("order-tracking", |server| {
        let (admin, ann, courier) = (server.admin(), server.customer("ann"), server.courier());
        let path = stands(&place(&ann, 2).is(201), "RESERVED", 2);
        stands(&admin.post(&format!("{path}/approve"), &json!({})).is(200), "ACCEPTED", 3);
        change(&admin, &path, "PREPARED").is(200);
        // Once the order is packed, only the seller can stop it.
        ann.delete(&path).is_problem(403, "forbidden");
        change(&courier, &path, "SHIPPED").is(200);
        let last = change(&courier, &path, "DELIVERED").is(200);
        let told = statuses(&ann.after(&last), &path);
        assert_eq!(told, ["CREATED", "RESERVED", "ACCEPTED", "PREPARED", "SHIPPED", "DELIVERED"]);
        change(&admin, &path, "CANCELED").is_problem(409, "illegal-transition");

        let path = stands(&place(&ann, 3).is(201), "RESERVED", 2);
        let reason = json!({ "reason": "no longer made" });
        stands(&admin.post(&format!("{path}/reject"), &reason).is(200), "CANCELED", 3);
        let problem = place(&ann, 9).is_problem(409, "out-of-stock");
        assert_eq!(problem["order"]["status"], "FAILED");
        wait_levels(&admin, "tea", [10, 8, 0, 2, 0]);
    });
}

#[test]
fn reservation_holds_stock_until_it_is_given_back() {
    tell("reservation", |server| {
        let (admin, ann) = (server.admin(), server.customer("ann"));
        let path = stands(&place(&ann, 4).is(201), "reserved", 2);
        wait_levels(&admin, "tea", [10, 6, 4, 0, 0]);
        let problem = place(&ann, 7).is_problem(409, "out-of-stock");
        assert_eq!(problem["order"]["status"], "failed");
        ann.post(&format!("{path}/approve"), &json!({})).is_problem(409, "illegal-transition");
        change(&admin, &path, "DELIVERED").is_problem(400, "unknown-status");
        let canceled = ann.post(&format!("{path}/cancel"), &json!({})).is(200);
        stands(&canceled, "cancelled", 3);
        wait_levels(&admin, "tea", [10, 10, 0, 0, 0]);
        assert_eq!(statuses(&ann.after(&canceled), &path), ["pending", "reserved", "cancelled"]);
        stands(&place(&ann, 7).is(201), "reserved", 2);
    });
}

#[test]
fn approval_is_for_items_that_nobody_stocks() {
    tell("approval", |server| {
        let (admin, ann) = (server.admin(), server.customer("ann"));
        let items = |quantity: u32| json!({ "lines": [{ "item": "Standing desk", "quantity": quantity }] });
        let approved = stands(&ann.post("/orders", &items(2)).is(201), "PENDING", 1);
        let rejected = stands(&ann.post("/orders", &items(100)).is(201), "PENDING", 1);
        ann.post(&format!("{approved}/approve"), &json!({})).is_problem(403, "forbidden");
        let answer = admin.post(&format!("{approved}/approve"), &json!({})).is(200);
        stands(&answer, "APPROVED", 2);
        let order = answer.json();
        assert_eq!((&order["acted_by"], &order["acted_at"]), (&"ada".into(), &order["updated_at"]));
        assert_eq!((&order["currency"], &order["total"]), (&Value::Null, &Value::Null));
        let reason = json!({ "reason": "too many desks" });
        let answer = admin.post(&format!("{rejected}/reject"), &reason).is(200);
        stands(&answer, "REJECTED", 2);
        assert_eq!(answer.json()["fail_reason"], "too many desks");
        admin.post(&format!("{rejected}/approve"), &json!({})).is_problem(409, "illegal-transition");
        assert_eq!(statuses(&ann.after(&answer), &rejected), ["PENDING", "REJECTED"]);
        let shown = ann.after(&answer).get(&rejected).is(200).json();
        assert_eq!(shown["lines"], items(100)["lines"]);
        place(&ann, 1).is_problem(400, "invalid-request");
        for wrong in [items(101), items(0), json!({ "lines": [{ "item": " ", "quantity": 1 }] })] {
            ann.post("/orders", &wrong).is_problem(400, "invalid-request");
        }
        let long = json!({ "lines": [{ "item": "x".repeat(256), "quantity": 1 }] });
        ann.post("/orders", &long).is_problem(400, "invalid-request");
    });
}

#[test]
fn delivery_follows_the_words_of_the_courier() {
    tell("delivery", |server| {
        let (admin, ann, courier) = (server.admin(), server.customer("ann"), server.courier());
        let path = stands(&place(&ann, 2).is(201), "PENDING_SHIPMENT", 1);
        let word = |word: &str, version| {
            let body = json!({ "status": word, "reason": word });
            courier.patch(&format!("{path}/status"), &body).is(200).json()["version"] == version
        };
        // Only the courier may use the courier's status words.
        change(&admin, &path, "picked_up").is_problem(400, "unknown-status");
        assert!(word("picked_up", 2) && word("in_transit", 3) && word("out_for_delivery", 4));
        wait_levels(&admin, "tea", [10, 8, 0, 2, 0]);
        ann.delete(&path).is_problem(409, "illegal-transition");
        let delivered = change(&courier, &path, "delivered").is(200);
        stands(&delivered, "DELIVERED", 5);
        let told = statuses(&ann.after(&delivered), &path);
        assert_eq!(told, ["PENDING_SHIPMENT", "SHIPPED", "SHIPPED", "SHIPPED", "DELIVERED"]);

        let path = stands(&place(&ann, 8).is(201), "PENDING_SHIPMENT", 1);
        assert_eq!(place(&ann, 1).is_problem(409, "out-of-stock").get("order"), None);
        stands(&ann.post(&format!("{path}/cancel"), &json!({})).is(200), "CANCELED", 2);
        wait_levels(&admin, "tea", [10, 8, 0, 2, 0]);
    });
}
