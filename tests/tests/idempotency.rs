//! A repeat under the same idempotency key gets the same answer, and has no second effect.

use orderflow_tests::{Answer, Client, Server, Stage, change, order, path_of, supply, wait_levels};
use serde_json::json;

#[track_caller]
fn is_replayed(answer: Answer, status: u16) -> Answer {
    assert_eq!(answer.header("idempotent-replayed"), Some("true"), "{}", answer.text());
    answer.is(status)
}

#[track_caller]
fn first(answer: Answer, status: u16) -> Answer {
    assert_eq!(answer.header("idempotent-replayed"), None, "{}", answer.text());
    answer.is(status)
}

fn under(client: &Client, key: &str) -> Client {
    client.with("idempotency-key", key)
}

#[test]
fn an_order_placed_again_is_the_same_order_also_after_a_restart() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    let wanted = order(&[("tea", 2)]);
    let placed = first(under(&server.customer("ann"), "k1").post("/orders", &wanted), 201);
    let again = is_replayed(under(&server.customer("ann"), "k1").post("/orders", &wanted), 201);
    assert_eq!(again.json(), placed.json());
    assert_eq!(again.header("location"), placed.header("location"));
    server.kill();

    let server = stage.serve();
    let ann = server.customer("ann");
    let again = is_replayed(under(&ann, "k1").post("/orders", &wanted), 201);
    assert_eq!(again.json(), placed.json());
    wait_levels(&ann, "tea", [10, 8, 2, 0, 0]);
    // Each customer has separate keys.
    let other = first(under(&server.customer("bob"), "k1").post("/orders", &wanted), 201);
    assert_ne!(other.json()["id"], placed.json()["id"]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn an_order_that_is_over_is_still_the_answer_to_its_key() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    let (ann, wanted) = (under(&server.customer("ann"), "k1"), order(&[("tea", 2)]));
    let path = path_of(&first(ann.post("/orders", &wanted), 201));
    change(&server.customer("ann"), &path, "CANCELED").is(200);
    let again = is_replayed(ann.post("/orders", &wanted), 201).json();
    assert_eq!(
        (&again["status"], format!("/orders/{}", again["id"].as_str().unwrap())),
        (&"CANCELED".into(), path)
    );
    wait_levels(&ann, "tea", [10, 10, 0, 0, 0]);
}

#[test]
fn an_order_that_failed_fails_again_though_there_is_stock_now() {
    let stage = Stage::new();
    let server = stage.serve();
    let admin = server.admin();
    supply(&admin, "tea", 1299, 1);
    let wanted = order(&[("tea", 2)]);
    let failed = first(under(&server.customer("ann"), "k1").post("/orders", &wanted), 409);
    let problem = failed.is_problem(409, "out-of-stock");
    assert_eq!((&problem["order"]["status"], &problem["order"]["version"]), (&"FAILED".into(), &2.into()));
    let short = &problem["failures"][0];
    assert_eq!(
        (&short["sku"], &short["requested"], &short["available"]),
        (&"tea".into(), &2.into(), &1.into())
    );
    supply(&admin, "tea", 1299, 10);
    let again = is_replayed(under(&server.customer("ann"), "k1").post("/orders", &wanted), 409);
    assert_eq!(again.is_problem(409, "out-of-stock")["order"], problem["order"]);
    server.stop();
    let server = stage.serve();
    let again = is_replayed(under(&server.customer("ann"), "k1").post("/orders", &wanted), 409);
    assert_eq!(again.is_problem(409, "out-of-stock")["order"], problem["order"]);
    wait_levels(&server.admin(), "tea", [11, 11, 0, 0, 0]);
}

#[test]
fn a_key_with_another_body_is_refused() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    let ann = under(&server.customer("ann"), "k1");
    first(ann.post("/orders", &order(&[("tea", 2)])), 201);
    ann.post("/orders", &order(&[("tea", 3)])).is_problem(422, "idempotency-key-reused");
    let mut noted = order(&[("tea", 2)]);
    noted["notes"] = "ring twice".into();
    ann.post("/orders", &noted).is_problem(422, "idempotency-key-reused");
    wait_levels(&ann, "tea", [10, 8, 2, 0, 0]);
    let mut keyed = order(&[("tea", 2)]);
    keyed["idempotency_key"] = "k2".into();
    let problem = ann.post("/orders", &keyed).is_problem(400, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/idempotency_key");
    under(&server.customer("ann"), "two words")
        .post("/orders", &noted)
        .is_problem(400, "invalid-idempotency-key");
}

#[test]
fn receipts_and_adjustments_count_once_for_each_key() {
    let stage = Stage::new();
    let server = stage.serve();
    let (k1, k2) = (under(&server.admin(), "k1"), under(&server.admin(), "k2"));
    let receipt = json!({ "quantity": 5 });
    let received = first(k1.post("/inventory/tea/receipts", &receipt), 200);
    let again = is_replayed(k1.post("/inventory/tea/receipts", &receipt), 200);
    assert_eq!(again.json(), received.json());
    let loss = json!({ "delta": -2, "reason": "mice" });
    first(k2.post("/inventory/tea/adjustments", &loss), 200);
    is_replayed(k2.post("/inventory/tea/adjustments", &loss), 200);
    let problem = k1.post("/inventory/tea/receipts", &json!({ "quantity": 6 }));
    problem.is_problem(422, "idempotency-key-reused");
    wait_levels(&k1, "tea", [5, 3, 0, 0, 2]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn many_at_once_under_one_key_place_one_order() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    let (ann, wanted) = (under(&server.customer("ann"), "k1"), order(&[("tea", 1)]));
    let ids: Vec<_> = std::thread::scope(|scope| {
        let place = || ann.post("/orders", &wanted).json()["id"].as_str().unwrap().to_owned();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(place)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    wait_levels(&ann, "tea", [10, 9, 1, 0, 0]);
}

#[test]
fn placed_again_without_waiting_it_is_still_the_first_order() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let ann = server.customer("ann").with("idempotency-key", "k").with("prefer", "respond-async");
    let first = ann.post("/orders", &order(&[("tea", 1)])).is(202);
    let again = ann.post("/orders", &order(&[("tea", 1)])).is(202);
    assert_eq!(again.json()["id"], first.json()["id"]);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    ann.post("/orders", &order(&[("tea", 2)])).is_problem(422, "idempotency-key-reused");
}

#[test]
fn changes_of_an_order_are_made_once_a_key_also_after_kills() {
    let stage = Stage::new().with("snapshot_every", 3);
    let server = stage.serve();
    supply(&server.admin(), "tea", 1299, 10);
    let path = path_of(&server.customer("ann").post("/orders", &order(&[("tea", 2)])).is(201));
    let (cancel, nothing) = (format!("{path}/cancel"), json!({}));
    let admin = |server: &Server, key| under(&server.admin(), key);
    let accepted = first(change(&admin(&server, "k1"), &path, "ACCEPTED"), 200);
    first(change(&admin(&server, "k2"), &path, "DELIVERED"), 409).is_problem(409, "illegal-transition");
    let stale = |server: &Server| change(&admin(server, "k3").with("if-match", "\"1\""), &path, "PREPARED");
    first(stale(&server), 412).is_problem(412, "stale-version");
    server.kill();

    let server = stage.serve();
    let again = is_replayed(change(&admin(&server, "k1"), &path, "ACCEPTED"), 200);
    assert_eq!((again.json(), again.header("etag")), (accepted.json(), accepted.header("etag")));
    change(&admin(&server, "k1"), &path, "PREPARED").is_problem(422, "idempotency-key-reused");
    is_replayed(change(&admin(&server, "k2"), &path, "DELIVERED"), 409).is_problem(409, "illegal-transition");
    is_replayed(stale(&server), 412).is_problem(412, "stale-version");
    let canceled = first(under(&server.customer("ann"), "k1").post(&cancel, &nothing), 200);
    server.kill();

    let server = stage.serve();
    let ann = under(&server.customer("ann"), "k1");
    let again = is_replayed(ann.post(&cancel, &nothing), 200);
    assert_eq!((again.json(), again.header("etag")), (canceled.json(), canceled.header("etag")));
    let again = is_replayed(change(&admin(&server, "k1"), &path, "ACCEPTED"), 200);
    assert_eq!(again.json(), canceled.json(), "the order as it is now");
    let again = is_replayed(change(&admin(&server, "k2"), &path, "DELIVERED"), 409);
    let problem = again.is_problem(409, "illegal-transition");
    assert_eq!((&problem["allowed"], &problem["version"]), (&json!([]), &canceled.json()["version"]));
    first(ann.delete(&path), 409).is_problem(409, "illegal-transition");
    first(under(&server.customer("bob"), "k1").post(&cancel, &nothing), 404);
    wait_levels(&ann, "tea", [10, 10, 0, 0, 0]);
    let history = server.admin().list(&format!("/search{path}/history"), 10);
    assert_eq!(history.len(), 4, "created, reserved, accepted, canceled: {history:?}");
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_product_is_set_once_a_key_and_shown_as_it_is_now() {
    let stage = Stage::new();
    let server = stage.serve();
    let product = |price| json!({ "name": "Tea", "unit_price": price, "currency": "EUR" });
    let k1 = under(&server.admin(), "k1");
    first(k1.put("/products/tea", &product(1)), 200);
    server.admin().put("/products/tea", &product(2)).is(200);
    let batch = |key| {
        let line = product(3).to_string().replacen('{', "{\"sku\":\"tea\",", 1);
        under(&server.admin(), key).post_lines("/products/batch", line.as_bytes()).is(202)
    };
    batch("b1");
    server.admin().put("/products/tea", &product(4)).is(200);
    batch("b1");
    server.kill();

    let server = stage.serve();
    let k1 = under(&server.admin(), "k1");
    let again = is_replayed(k1.put("/products/tea", &product(1)), 200);
    assert_eq!(again.json(), json!({ "sku": "tea", "name": "Tea", "unit_price": 4, "currency": "EUR" }));
    k1.put("/products/tea", &product(2)).is_problem(422, "idempotency-key-reused");
    under(&server.customer("ann"), "k1").put("/products/tea", &product(1)).is_problem(403, "forbidden");
    first(under(&server.client("service", "admin"), "k1").put("/products/tea", &product(5)), 200);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_refused_correction_is_refused_again() {
    let stage = Stage::new();
    let server = stage.serve();
    let (admin, loss) = (server.admin(), json!({ "delta": -2, "reason": "mice" }));
    first(under(&admin, "k").post("/inventory/tea/adjustments", &loss), 409)
        .is_problem(409, "negative-stock");
    admin.post("/inventory/tea/receipts", &json!({ "quantity": 5 })).is(200);
    is_replayed(under(&admin, "k").post("/inventory/tea/adjustments", &loss), 409);
    wait_levels(&admin, "tea", [5, 5, 0, 0, 0]);
    first(under(&admin, "l").post("/inventory/tea/adjustments", &loss), 200);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_request_with_a_key_waits_for_its_decision_whatever_its_client_prefers() {
    let stage = Stage::new();
    let server = stage.serve();
    let admin = server.admin();
    supply(&admin, "tea", 1299, 10);
    let ann = server.customer("ann").with("idempotency-key", "k");
    let placed = ann.post("/orders", &order(&[("tea", 1)])).is(201);
    for prefer in ["wait=0", "respond-async, wait=0"] {
        let again = ann.with("prefer", prefer).post("/orders", &order(&[("tea", 1)])).is(201);
        assert_eq!(again.json()["id"], placed.json()["id"], "{prefer}");
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{prefer}");
        ann.with("prefer", prefer)
            .post("/orders", &order(&[("tea", 2)]))
            .is_problem(422, "idempotency-key-reused");
    }
    let keeper = admin.with("idempotency-key", "r");
    keeper.post("/inventory/tea/receipts", &json!({ "quantity": 5 })).is(200);
    let other =
        keeper.with("prefer", "respond-async").post("/inventory/tea/receipts", &json!({ "quantity": 7 }));
    other.is_problem(422, "idempotency-key-reused");
    let cancel = server.customer("ann").with("idempotency-key", "c").with("prefer", "respond-async");
    let path = format!("{}/cancel", path_of(&placed));
    for _ in 0..2 {
        cancel.post(&path, &json!({})).is(200);
    }
    cancel.post(&path, &json!({ "reason": "other" })).is_problem(422, "idempotency-key-reused");
    server.stop();
    stage.verify_clean();
}
