//! Stock and the catalogue: receipts, corrections, and that two orders never get the same last unit.

use std::sync::Barrier;

use orderflow_tests::{Stage, levels, order, supply, wait_levels};
use serde_json::json;

#[test]
fn receipts_and_adjustments_answer_with_the_levels_after_them() {
    let stage = Stage::new();
    let server = stage.serve();
    let admin = server.admin();
    let answer = admin.post("/inventory/tea/receipts", &json!({ "quantity": 7 })).is(200);
    assert_eq!(levels(&answer.json()), [7, 7, 0, 0, 0]);
    assert_eq!(admin.after(&answer).get("/inventory/tea").is(200).json(), answer.json());
    let answer = admin.post("/inventory/tea/adjustments", &json!({ "delta": -3, "reason": "mice" })).is(200);
    assert_eq!(levels(&answer.json()), [7, 4, 0, 0, 3]);
    let answer = admin.post("/inventory/tea/adjustments", &json!({ "delta": 2, "reason": "found" })).is(200);
    assert_eq!(levels(&answer.json()), [9, 6, 0, 0, 3]);
    let refused = admin.post("/inventory/tea/adjustments", &json!({ "delta": -7, "reason": "thieves" }));
    refused.is_problem(409, "negative-stock");
    assert_eq!(admin.after(&refused).get("/inventory/tea").is(200).json(), answer.json());
    server.stop();
    stage.verify_clean();
}

#[test]
fn stock_that_is_reserved_cannot_be_written_off() {
    let stage = Stage::new();
    let server = stage.serve();
    let admin = server.admin();
    supply(&admin, "tea", 1299, 5);
    server.customer("ann").post("/orders", &order(&[("tea", 4)])).is(201);
    let loss =
        |units: i64| admin.post("/inventory/tea/adjustments", &json!({ "delta": -units, "reason": "fire" }));
    loss(2).is_problem(409, "negative-stock");
    loss(1).is(200);
    wait_levels(&admin, "tea", [5, 0, 4, 0, 1]);
}

#[test]
fn an_order_is_reserved_whole_or_not_at_all() {
    let stage = Stage::new();
    let server = stage.serve();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    // There are many SKUs, so that every partition of stock has some.
    let skus: Vec<_> = (0..20).map(|n| format!("sku-{n}")).collect();
    for sku in &skus {
        supply(&admin, sku, 100, 3);
    }
    let mut lines: Vec<_> = skus.iter().map(|sku| (sku.as_str(), 2)).collect();
    ann.post("/orders", &order(&lines)).is(201);
    lines[7].1 = 1;
    lines[13].1 = 1;
    let problem = ann.post("/orders", &order(&lines)).is_problem(409, "out-of-stock");
    let mut short: Vec<_> = problem["failures"].as_array().unwrap().iter().collect();
    short.sort_by_key(|failure| failure["sku"].to_string());
    let mut wanted: Vec<_> = lines.iter().filter(|(_, units)| *units == 2).map(|(sku, _)| *sku).collect();
    wanted.sort_unstable();
    assert_eq!(short.iter().map(|failure| failure["sku"].as_str().unwrap()).collect::<Vec<_>>(), wanted);
    assert!(short.iter().all(|failure| failure["requested"] == 2 && failure["available"] == 1), "{problem}");
    for sku in &skus {
        wait_levels(&admin, sku, [3, 1, 2, 0, 0]);
    }
    server.stop();
    stage.verify_clean();
}

#[test]
fn of_two_who_want_the_last_one_exactly_one_gets_it() {
    let stage = Stage::new();
    let server = stage.serve();
    let admin = server.admin();
    for round in 0..15 {
        let sku = format!("last-{round}");
        supply(&admin, &sku, 100, 1);
        let (start, wanted) = (Barrier::new(2), order(&[(&sku, 1)]));
        let mut answers = std::thread::scope(|scope| {
            let threads = ["ann", "bob"].map(|name| {
                let (customer, start, wanted) =
                    (server.customer(&format!("{name}-{round}")), &start, &wanted);
                scope.spawn(move || {
                    start.wait();
                    customer.post("/orders", wanted)
                })
            });
            threads.map(|thread| thread.join().unwrap())
        });
        answers.sort_by_key(|answer| answer.status);
        let [got, missed] = answers;
        assert_eq!(got.is(201).json()["status"], "RESERVED");
        assert_eq!(missed.is_problem(409, "out-of-stock")["failures"][0]["available"], 0);
        wait_levels(&admin, &sku, [1, 0, 1, 0, 0]);
    }
    server.stop();
    stage.verify_clean();
}

#[test]
fn what_a_customer_gives_back_the_next_one_gets() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1);
    let (ann, bob) = (server.customer("ann"), server.customer("bob"));
    let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
    bob.post("/orders", &order(&[("tea", 1)])).is_problem(409, "out-of-stock");
    ann.delete(&orderflow_tests::path_of(&placed)).is(200);
    wait_levels(&bob, "tea", [1, 1, 0, 0, 0]);
    bob.post("/orders", &order(&[("tea", 1)])).is(201);
}

#[test]
fn the_catalogue_answers_with_what_was_put_into_it() {
    let stage = Stage::new();
    let server = stage.serve();
    let admin = server.admin();
    let product = json!({ "name": "Green tea", "unit_price": 1299, "currency": "EUR" });
    let answer = admin.put("/products/tea", &product).is(200);
    let shown = json!({ "sku": "tea", "name": "Green tea", "unit_price": 1299, "currency": "EUR" });
    assert_eq!(answer.json(), shown);
    assert_eq!(admin.after(&answer).get("/products/tea").is(200).json(), shown);
    let answer = admin.post("/inventory/nameless/receipts", &json!({ "quantity": 1 })).is(200);
    let reader = admin.after(&answer);
    reader.get("/products/nameless").is_problem(404, "unknown-sku");
    reader.get("/inventory/nameless").is(200);
    reader.get("/inventory/unheard-of").is_problem(404, "unknown-sku");
}
