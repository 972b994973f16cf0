//! The path of an order through the default lifecycle, with the stock it moves.

use orderflow_tests::{Answer, Client, Server, Stage, change, order, path_of, supply, wait_levels};
use serde_json::{Value, json};

/// A server with 10 units of `tea` at the price 1299.
fn shop() -> (Stage, Server) {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    (stage, server)
}

#[track_caller]
fn stands(answer: &Answer, status: &str, version: u64) {
    let order = answer.json();
    assert_eq!((&order["status"], &order["version"]), (&status.into(), &version.into()), "{order}");
    assert_eq!(answer.header("etag"), Some(format!("\"{version}\"").as_str()));
}

#[track_caller]
fn history(caller: &Client, order: &str) -> Vec<Value> {
    caller.list(&format!("/search{order}/history"), 2)
}

#[test]
fn an_order_goes_from_reserved_to_delivered_and_moves_its_stock() {
    let (stage, server) = shop();
    let (admin, ann, courier) = (server.admin(), server.customer("ann"), server.courier());

    let placed = ann.post("/orders", &order(&[("tea", 2)])).is(201);
    stands(&placed, "RESERVED", 2);
    let path = path_of(&placed);
    assert_eq!(placed.header("location"), Some(path.as_str()));
    let placed_order = placed.json();
    let expected = json!([{ "sku": "tea", "quantity": 2, "unit_price": 1299 }]);
    assert_eq!((&placed_order["lines"], &placed_order["total"]), (&expected, &2598.into()));
    assert_eq!((&placed_order["customer_id"], &placed_order["currency"]), (&"ann".into(), &"EUR".into()));

    let read = ann.after(&placed).get(&path).is(200);
    assert_eq!(read.json(), placed_order);
    assert_eq!(read.header("etag"), Some("\"2\""));
    wait_levels(&ann, "tea", [10, 8, 2, 0, 0]);

    stands(&change(&admin, &path, "ACCEPTED").is(200), "ACCEPTED", 3);
    stands(&change(&admin, &path, "PREPARED").is(200), "PREPARED", 4);
    wait_levels(&ann, "tea", [10, 8, 2, 0, 0]);
    stands(&change(&courier, &path, "SHIPPED").is(200), "SHIPPED", 5);
    wait_levels(&ann, "tea", [10, 8, 0, 2, 0]);
    let delivered = change(&courier, &path, "DELIVERED").is(200);
    stands(&delivered, "DELIVERED", 6);
    assert_eq!(ann.after(&delivered).get(&path).is(200).json(), delivered.json());

    let changes = history(&ann, &path);
    let told: Vec<_> =
        changes.iter().map(|change| (change["version"].as_u64(), change["status"].as_str())).collect();
    let states = ["CREATED", "RESERVED", "ACCEPTED", "PREPARED", "SHIPPED", "DELIVERED"];
    assert_eq!(told, (1..).map(Some).zip(states.map(Some)).collect::<Vec<_>>());
    let roles: Vec<_> = changes.iter().filter_map(|change| change["by"]["role"].as_str()).collect();
    assert_eq!(roles, ["customer", "system", "admin", "admin", "courier", "courier"]);
    assert_eq!(changes[0]["from"], Value::Null);
    assert!(changes.windows(2).all(|two| two[1]["from"] == two[0]["status"]), "{changes:?}");
    server.stop();
    stage.verify_clean();
}

#[test]
fn canceling_gives_the_stock_back_and_is_final() {
    let (stage, server) = shop();
    let ann = server.customer("ann");
    for (canceled, units) in [("a reserved one", 3), ("another", 10)] {
        let path = path_of(&ann.post("/orders", &order(&[("tea", units)])).is(201));
        wait_levels(&ann, "tea", [10, 10 - units, units, 0, 0]);
        let answer = ann.post(&format!("{path}/cancel"), &json!({ "reason": canceled })).is(200);
        stands(&answer, "CANCELED", 3);
        wait_levels(&ann, "tea", [10, 10, 0, 0, 0]);
        assert_eq!(history(&ann.after(&answer), &path)[2]["reason"], canceled);
        let again = ann.post(&format!("{path}/cancel"), &json!({}));
        assert_eq!(again.is_problem(409, "illegal-transition")["allowed"], json!([]));
    }
    server.stop();
    stage.verify_clean();
}

#[test]
fn delete_cancels_too() {
    let (_stage, server) = shop();
    let ann = server.customer("ann");
    let path = path_of(&ann.post("/orders", &order(&[("tea", 4)])).is(201));
    let answer = ann.delete(&path).is(200);
    stands(&answer, "CANCELED", 3);
    wait_levels(&ann, "tea", [10, 10, 0, 0, 0]);
    assert_eq!(ann.after(&answer).get(&path).is(200).json()["status"], "CANCELED");
}

#[test]
fn who_would_rather_not_wait_is_answered_at_once_and_finds_the_order_later() {
    let (_stage, server) = shop();
    let ann = server.customer("ann");
    let accepted = ann.with("prefer", "respond-async").post("/orders", &order(&[("tea", 1)])).is(202);
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    let path = path_of(&accepted);
    assert_eq!(accepted.header("location"), Some(path.as_str()));
    ann.after(&accepted).get(&path).is(200);
    server.admin().after(&accepted).wait_decided();
    stands(&ann.get(&path).is(200), "RESERVED", 2);
}

#[test]
fn a_change_of_a_version_that_is_no_more_is_refused() {
    let (_stage, server) = shop();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let path = path_of(&ann.post("/orders", &order(&[("tea", 1)])).is(201));
    let stale = change(&admin.with("if-match", "\"1\""), &path, "ACCEPTED");
    assert_eq!(stale.is_problem(412, "stale-version")["version"], 2);
    assert_eq!(stale.header("etag"), Some("\"2\""));
    stands(&change(&admin.with("if-match", "\"2\""), &path, "ACCEPTED").is(200), "ACCEPTED", 3);
    let stale = ann.with("if-match", "\"2\"").delete(&path);
    stale.is_problem(412, "stale-version");
    stands(&ann.with("if-match", "*").delete(&path).is(200), "CANCELED", 4);
    ann.with("if-match", "2").delete(&path).is_problem(400, "invalid-if-match");
}

#[test]
fn a_way_that_does_not_exist_is_refused_with_those_that_do() {
    let (_stage, server) = shop();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
    let path = path_of(&placed);
    let problem = change(&admin, &path, "DELIVERED").is_problem(409, "illegal-transition");
    assert_eq!(problem["allowed"], json!(["ACCEPTED", "CANCELED"]));
    let problem = change(&ann, &path, "SHIPPED").is_problem(409, "illegal-transition");
    assert_eq!(problem["allowed"], json!(["CANCELED"]));
    let problem = change(&admin, &path, "LOST").is_problem(400, "unknown-status");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("`LOST`")), "{problem}");
    assert_eq!(problem["errors"][0]["pointer"], "/status");
    assert_eq!(ann.after(&placed).get(&path).is(200).json(), placed.json());
}

#[test]
fn nobody_does_what_is_not_theirs_to_do() {
    let (_stage, server) = shop();
    let (admin, ann, eve) = (server.admin(), server.customer("ann"), server.customer("eve"));
    let (courier, analyst) = (server.courier(), server.client("analyst", "al"));
    let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
    let path = path_of(&placed);
    let mut named = order(&[("tea", 1)]);
    named["customer_id"] = "ann".into();
    let receipt = json!({ "quantity": 1 });
    let product = json!({ "name": "Tea", "unit_price": 1, "currency": "EUR" });
    for hidden in [
        eve.after(&placed).get(&path),
        eve.after(&placed).get(&format!("/search{path}/history")),
        eve.delete(&path),
        change(&eve, &path, "CANCELED"),
        // The order is not in a state that is handed to couriers.
        courier.after(&placed).get(&path),
        courier.after(&placed).get(&format!("{path}/shipment")),
        change(&courier, &path, "ACCEPTED"),
    ] {
        hidden.is_problem(404, "order-not-found");
    }
    for refused in [
        eve.post("/orders", &named),
        eve.get("/orders?customer_id=ann"),
        eve.get("/orders/user/ann"),
        change(&ann, &path, "ACCEPTED"),
        ann.post("/inventory/tea/receipts", &receipt),
        ann.put("/products/tea", &product),
        ann.post_lines("/orders/batch", b"{}"),
        ann.post_lines("/inventory/batch", b"{}"),
        ann.get("/topics"),
        courier.post("/orders", &named),
        courier.post("/inventory/tea/receipts", &receipt),
        analyst.post("/orders", &named),
        analyst.delete(&path),
    ] {
        refused.is_problem(403, "forbidden");
    }
    server.client("king", "k").get("/orders").is_problem(400, "invalid-role");
    // A caller that may act for others names the customer.
    assert_eq!(admin.post("/orders", &named).is(201).json()["customer_id"], "ann");
    wait_levels(&ann, "tea", [10, 8, 2, 0, 0]);
}

#[test]
fn clients_say_how_long_a_write_waits_for_its_decision() {
    let stage = Stage::new();
    let server = stage.serve();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    supply(&admin, "tea", 100, 10);
    let placed = ann.with("prefer", "respond-async, wait=60").post("/orders", &order(&[("tea", 1)])).is(201);
    assert_eq!(placed.header("preference-applied"), None);
    let path = path_of(&placed);
    let accepted = admin
        .with("prefer", "respond-async; x=\"wait=9\"")
        .patch(&format!("{path}/status"), &json!({ "status": "ACCEPTED" }))
        .is(202);
    assert_eq!(accepted.header("preference-applied"), Some("respond-async"));
    assert_eq!(admin.after(&accepted).get(&path).is(200).json()["status"], "ACCEPTED");
    // Whether the decision is there at once is up to the machine; the answer says which it was.
    let receipt = admin.with("prefer", "wait=0").post("/inventory/tea/receipts", &json!({ "quantity": 1 }));
    match receipt.status {
        200 => assert_eq!(receipt.header("preference-applied"), None),
        202 => assert_eq!(receipt.header("preference-applied"), Some("wait=0")),
        _ => panic!("{}", receipt.text()),
    }
    server.stop();
    stage.verify_clean();
}
