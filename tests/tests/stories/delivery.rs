//! Delivery: orders that never come to be, couriers who may not act, reports out of order, and returns that are refused.

use orderflow_tests::{Answer, Client, change, order, path_of, settle, supply, wait_levels};
use serde_json::{Value, json};

use super::{follow::follow, people::Shop};

#[test]
fn the_page_of_deliveries_is_true() {
    follow("delivery");
}

fn report(caller: &Client, order: &str, status: &str) -> Answer {
    let id = order.trim_start_matches("/orders/");
    caller.post(&format!("/shipments/{id}/events"), &json!({ "status": status }))
}

fn returns(caller: &Client, order: &str, lines: Value) -> Answer {
    caller.post(&format!("{order}/returns"), &json!({ "lines": lines }))
}

fn one(line: u64, quantity: u64) -> Value {
    json!([{ "line": line, "quantity": quantity, "to": "stock" }])
}

#[test]
fn what_stock_declines_never_exists_and_what_it_accepts_appears() {
    let shop = Shop::open("delivery");
    let (admin, eve) = (&shop.admin, shop.customer("Eve Stone"));
    supply(admin, "lamp", 2900, 5);
    let keyed = eve.with("idempotency-key", "eve-1");
    let declined = keyed.post("/orders", &order(&[("lamp", 6)]));
    let problem = declined.is_problem(409, "out-of-stock");
    assert_eq!((&problem["order"], declined.header("location")), (&Value::Null, None));
    let again = keyed.post("/orders", &order(&[("lamp", 6)]));
    again.is_problem(409, "out-of-stock");
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    keyed.post("/orders", &order(&[("lamp", 5)])).is_problem(422, "idempotency-key-reused");
    assert_eq!(eve.after(&declined).get("/orders").is(200).json()["items"], json!([]));

    let at_once = eve.with("prefer", "respond-async");
    let [lost, kept] = [6, 2].map(|units| at_once.post("/orders", &order(&[("lamp", units)])).is(202));
    settle(admin);
    for path in
        [path_of(&lost), format!("{}/shipment", path_of(&lost)), format!("/search{}/history", path_of(&lost))]
    {
        eve.get(&path).is_problem(404, "order-not-found");
        admin.get(&path).is_problem(404, "order-not-found");
    }
    change(admin, &path_of(&lost), "SHIPPED").is_problem(404, "order-not-found");
    report(admin, &path_of(&lost), "picked_up").is_problem(404, "order-not-found");
    assert_eq!(kept.header("location"), Some(path_of(&kept).as_str()));
    assert_eq!(eve.get(&path_of(&kept)).is(200).json()["status"], "PENDING_SHIPMENT");
    assert_eq!(eve.list("/orders", 10).len(), 1);
    wait_levels(admin, "lamp", [5, 3, 2, 0, 0]);
    shop.close();
}

#[test]
fn only_the_orders_courier_reports_and_reports_in_any_order_are_harmless() {
    let shop = Shop::open("delivery");
    let (admin, eve) = (&shop.admin, shop.customer("Eve Stone"));
    let ((swift_id, swift), (_, tardy)) = (shop.courier("Swift"), shop.courier("Tardy"));
    supply(admin, "lamp", 2900, 9);
    let path = path_of(&eve.post("/orders", &order(&[("lamp", 2)])).is(201));
    let assign = json!({ "client_id": swift_id });
    for other in [&eve, &swift] {
        other.put(&format!("{path}/courier"), &assign).is_problem(403, "forbidden");
    }
    let named = admin.put(&format!("{path}/courier"), &assign).is(200);
    assert_eq!(named.json()["courier_id"], json!(swift_id));
    for read in [path.clone(), format!("{path}/shipment"), format!("/search{path}/history")] {
        tardy.after(&named).get(&read).is_problem(404, "order-not-found");
        swift.after(&named).get(&read).is(200);
    }
    report(&tardy, &path, "picked_up").is_problem(404, "order-not-found");
    change(&tardy, &path, "SHIPPED").is_problem(404, "order-not-found");
    report(&eve, &path, "picked_up").is_problem(403, "forbidden");
    report(&swift, &path, "lost").is_problem(400, "invalid-request");
    swift.get("/orders").is_problem(403, "forbidden");
    returns(&swift, &path, one(1, 1)).is_problem(403, "forbidden");
    returns(admin, &path, one(1, 1)).is_problem(409, "returns-closed");

    // The first report that arrives says that the parcel is delivered, so it was also shipped. What comes late is history.
    assert_eq!(report(&swift, &path, "delivered").is(200).json()["status"], "DELIVERED");
    wait_levels(admin, "lamp", [9, 7, 0, 2, 0]);
    for late in ["picked_up", "in_transit", "out_for_delivery", "failed_attempt", "delivered"] {
        assert_eq!(report(&swift, &path, late).is(200).json()["status"], "DELIVERED", "{late}");
    }
    settle(admin);
    wait_levels(admin, "lamp", [9, 7, 0, 2, 0]);
    let shipment = eve.get(&format!("{path}/shipment")).is(200).json();
    let words: Vec<_> = shipment["events"].as_array().unwrap().iter().map(|event| &event["status"]).collect();
    assert_eq!(
        words,
        ["delivered", "picked_up", "in_transit", "out_for_delivery", "failed_attempt", "delivered"]
    );

    // Any courier may act once none is named. An order that is canceled takes reports as history only.
    admin.put(&format!("{path}/courier"), &json!({ "client_id": null })).is(200);
    report(&tardy, &path, "in_transit").is(200);
    let path = path_of(&eve.post("/orders", &order(&[("lamp", 1)])).is(201));
    eve.delete(&path).is(200);
    let kept = report(admin, &path, "delivered").is(200);
    assert_eq!(kept.json()["status"], "CANCELED");
    report(&swift, &path, "delivered").is_problem(404, "order-not-found");
    settle(admin);
    let shipment = eve.get(&format!("{path}/shipment")).is(200).json();
    assert_eq!(shipment["events"].as_array().map(Vec::len), Some(1), "{shipment}");
    wait_levels(admin, "lamp", [9, 7, 0, 2, 0]);
    shop.close();
}

#[test]
fn no_more_comes_back_than_was_shipped() {
    let shop = Shop::open("delivery");
    let (admin, eve) = (&shop.admin, shop.customer("Eve Stone"));
    supply(admin, "lamp", 2900, 5);
    supply(admin, "bulb", 300, 5);
    let path = path_of(&eve.post("/orders", &order(&[("lamp", 2), ("bulb", 3)])).is(201));
    report(admin, &path, "delivered").is(200);
    for wrong in [one(0, 1), one(1, 0), json!([]), json!([{ "line": 1, "quantity": 1 }])] {
        let answer = returns(admin, &path, wrong.clone());
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    for too_many in [one(1, 3), one(3, 1), json!([one(2, 2)[0], one(2, 2)[0]])] {
        returns(admin, &path, too_many).is_problem(409, "more-than-shipped");
    }
    returns(&eve, &path, one(1, 1)).is_problem(403, "forbidden");
    let keyed = admin.with("idempotency-key", "back-1");
    returns(&keyed, &path, one(1, 2)).is(200);
    let again = returns(&keyed, &path, one(1, 2)).is(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    wait_levels(admin, "lamp", [5, 5, 0, 0, 0]);

    // The last unit that comes back by hand ends the order.
    let broken = json!([{ "line": 2, "quantity": 3, "to": "written_off" }]);
    assert_eq!(returns(admin, &path, broken).is(200).json()["status"], "RETURNED");
    wait_levels(admin, "bulb", [5, 2, 0, 0, 3]);
    returns(admin, &path, one(1, 1)).is_problem(409, "returns-closed");
    shop.close();
}
