//! The seller sets the prices. The price of an order is decided together with its stock, and a customer pays the
//! price that was shown.

use orderflow_tests::{Server, Stage, levels, order, supply, wait_levels};
use serde_json::{Value, json};

fn shop() -> (Stage, Server) {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    (stage, server)
}

fn priced(sku: &str, units: u64, unit_price: u64) -> Value {
    json!({ "currency": "EUR", "lines": [{ "sku": sku, "quantity": units, "unit_price": unit_price }] })
}

#[test]
fn a_customer_cannot_choose_a_price() {
    let (stage, server) = shop();
    let ann = server.customer("ann");
    let problem = ann.post("/orders", &priced("tea", 1, 1)).is_problem(409, "price-changed");
    let failure = &problem["failures"][0];
    assert_eq!((&failure["sku"], &failure["unit_price"]), (&"tea".into(), &1299.into()), "{problem}");
    assert_eq!(
        (&problem["order"]["status"], &problem["order"]["fail_reason"]),
        (&"FAILED".into(), &"price-changed".into())
    );
    assert_eq!(ann.post("/orders", &priced("tea", 2, 1299)).is(201).json()["total"], 2598);
    wait_levels(&ann, "tea", [10, 8, 2, 0, 0]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_price_that_changed_meanwhile_is_not_charged() {
    let (stage, server) = shop();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let receipt = supply(&admin, "tea", 1299, 1);
    let seen = ann.after(&receipt).get("/products/tea").is(200).json()["unit_price"].as_u64().unwrap();
    admin.put("/products/tea", &json!({ "name": "Tea", "unit_price": 1399, "currency": "EUR" })).is(200);
    let problem = ann.post("/orders", &priced("tea", 1, seen)).is_problem(409, "price-changed");
    assert_eq!(problem["failures"][0]["unit_price"], 1399);
    assert_eq!(ann.post("/orders", &order(&[("tea", 1)])).is(201).json()["total"], 1399);
    wait_levels(&ann, "tea", [11, 10, 1, 0, 0]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn the_seller_may_state_a_price_of_their_own() {
    let (_stage, server) = shop();
    let mut wanted = priced("tea", 2, 500);
    wanted["customer_id"] = "ann".into();
    assert_eq!(server.admin().post("/orders", &wanted).is(201).json()["total"], 1000);
    assert_eq!(server.client("service", "till").post("/orders", &wanted).is(201).json()["total"], 1000);
}

#[test]
fn what_is_sold_in_another_currency_or_has_no_price_is_not_sold() {
    let (_stage, server) = shop();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let mut dollars = order(&[("tea", 1)]);
    dollars["currency"] = "USD".into();
    let problem = ann.post("/orders", &dollars).is_problem(409, "currency-mismatch");
    assert_eq!(
        (&problem["failures"][0]["sku"], &problem["failures"][0]["currency"]),
        (&"tea".into(), &"EUR".into())
    );
    admin.post("/inventory/salt/receipts", &json!({ "quantity": 5 })).is(200);
    let problem = ann.post("/orders", &order(&[("salt", 1)])).is_problem(409, "price-unknown");
    assert_eq!(problem["failures"][0]["sku"], "salt");
    wait_levels(&ann, "salt", [5, 5, 0, 0, 0]);
    wait_levels(&ann, "tea", [10, 10, 0, 0, 0]);
}

#[test]
fn an_order_of_something_unheard_of_fails_as_out_of_stock() {
    let (stage, server) = shop();
    let ann = server.customer("ann");
    let placed = ann.post("/orders", &order(&[("tea", 1), ("moon", 3)]));
    let problem = placed.is_problem(409, "out-of-stock");
    assert_eq!((&problem["order"]["status"], &problem["order"]["version"]), (&"FAILED".into(), &2.into()));
    let failures = problem["failures"].as_array().unwrap();
    let failure = json!({ "sku": &failures[0]["sku"], "requested": &failures[0]["requested"], "available": &failures[0]["available"] });
    assert_eq!(
        (failures.len(), failure),
        (1, json!({ "sku": "moon", "requested": 3, "available": 0 })),
        "{problem}"
    );
    let path = placed.header("location").unwrap();
    assert_eq!(ann.after(&placed).get(path).is(200).json(), problem["order"]);
    wait_levels(&ann, "tea", [10, 10, 0, 0, 0]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn lines_of_the_same_sku_are_added_up() {
    let (stage, server) = shop();
    let ann = server.customer("ann");
    supply(&server.admin(), "milk", 99, 10);
    let placed = ann.post("/orders", &order(&[("tea", 2), ("milk", 1), ("tea", 3)])).is(201).json();
    let lines = json!([
        { "sku": "tea", "quantity": 5, "unit_price": 1299 },
        { "sku": "milk", "quantity": 1, "unit_price": 99 },
    ]);
    assert_eq!((&placed["lines"], &placed["total"]), (&lines, &6594.into()));
    // 5 units are left. Two lines of 3 are too many, though neither is alone.
    let problem = ann.post("/orders", &order(&[("tea", 3), ("tea", 3)])).is_problem(409, "out-of-stock");
    assert_eq!(problem["failures"][0]["requested"], 6);
    let problem = ann.post("/orders", &order(&[("tea", 600_000), ("tea", 600_000)]));
    assert_eq!(problem.is_problem(400, "invalid-request")["errors"][0]["pointer"], "/lines/1/quantity");
    wait_levels(&ann, "tea", [10, 5, 5, 0, 0]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn totals_that_money_cannot_hold_are_refused() {
    let (stage, server) = shop();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let (dear, million) = (1_000_000_000_000, 1_000_000);
    let mut stated = priced("gold", million, dear);
    stated["customer_id"] = "ann".into();
    admin.post("/orders", &stated).is_problem(400, "total-too-large");
    // At catalogue prices, the error is known only at the decision.
    let receipt = supply(&admin, "gold", dear, million);
    assert_eq!(levels(&receipt.json()), [million, million, 0, 0, 0]);
    let problem = ann.post("/orders", &order(&[("gold", million)])).is_problem(409, "total-too-large");
    assert_eq!(problem["order"]["status"], "FAILED");
    // Each line can be reserved, but their sum is too large.
    supply(&admin, "silver", dear, million);
    ann.post("/orders", &order(&[("gold", 9_000), ("silver", 9_000)])).is_problem(409, "total-too-large");
    assert_eq!(ann.post("/orders", &order(&[("gold", 9_000)])).is(201).json()["total"], json!(9_000 * dear));
    wait_levels(&admin, "gold", [million, million - 9_000, 9_000, 0, 0]);
    wait_levels(&admin, "silver", [million, million, 0, 0, 0]);
    server.stop();
    stage.verify_clean();
}
