//! `orderflow verify` compares what couriers reported and what came back with the log.

use orderflow_tests::{Stage, order, path_of, supply, tamper};
use serde_json::json;

/// The directory of a stopped server with an order that came back in two parts, and a late report about it. Another
/// order was declined.
fn parcels() -> Stage {
    let stage = Stage::new().pipeline("delivery");
    let server = stage.serve();
    let (admin, ann, courier) = (server.admin(), server.customer("ann"), server.courier());
    supply(&admin, "tea", 1299, 10);
    ann.post("/orders", &order(&[("tea", 99)])).is_problem(409, "out-of-stock");
    let path = path_of(&ann.post("/orders", &order(&[("tea", 4)])).is(201));
    let reports = format!("{}/events", path.replace("/orders/", "/shipments/"));
    let report = |status: &str| courier.post(&reports, &json!({ "status": status })).is(200);
    let take_back = |units: u64| {
        let lines = json!([{ "line": 1, "quantity": units, "to": "stock" }]);
        admin.post(&format!("{path}/returns"), &json!({ "lines": lines })).is(200)
    };
    report("picked_up");
    report("delivered");
    take_back(1);
    let returned = take_back(3);
    assert_eq!(returned.json()["status"], "RETURNED");
    courier.after(&returned).post(&reports, &json!({ "status": "in_transit" })).is(200);
    server.stop();
    stage.verify_clean();
    stage
}

#[test]
fn what_couriers_reported_and_what_came_back_is_compared() {
    let parcels = parcels();
    for (statement, words) in [
        (
            "DELETE FROM shipment_events WHERE status = 'delivered'",
            &["the database lacks the shipment event of offset ", "the log has it"][..],
        ),
        ("DELETE FROM shipment_events WHERE status = 'in_transit'", &["lacks the shipment event of offset "]),
        (
            "UPDATE shipment_events SET status = 'failed_attempt' WHERE status = 'in_transit'",
            &["shipment event of offset ", "is not that of the log"],
        ),
        (
            "UPDATE shipment_events SET \"offset\" = \"offset\" + 1000 WHERE status = 'picked_up'",
            &["lacks the shipment event of offset ", "has a shipment event of offset ", "the log has not"],
        ),
        (
            "INSERT INTO shipment_events SELECT randomblob(16), \"offset\", at, status, carrier, tracking_number, \
             location, occurred_at, event_id, by_role, by_subject FROM shipment_events LIMIT 1",
            &["has a shipment event of offset ", "the log has not"],
        ),
        ("UPDATE orders SET returned = NULL", &["the database's row is not that of version "]),
    ] {
        eprintln!("{statement}");
        let stage = parcels.copy().pipeline("delivery");
        tamper(&stage, statement);
        stage.verify().fails_naming(words);
    }
}

#[test]
fn a_return_is_a_difference_where_the_lifecycle_takes_none() {
    let stage = parcels();
    let strict = stage.run_on_data(&["verify", "--pipeline", "order-tracking"]);
    strict.fails_naming(&["is returned, and the lifecycle takes no returns"]);
}
