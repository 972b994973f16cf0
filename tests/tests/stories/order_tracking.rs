//! Order tracking: who may not do what, and when.

use orderflow_tests::{change, order, path_of, supply, wait_levels};
use serde_json::json;

use super::{follow::follow, people::Shop};

#[test]
fn the_page_of_order_tracking_is_true() {
    follow("order-tracking");
}

#[test]
fn an_order_is_moved_by_the_shop_and_given_up_by_its_customer_before_it_is_packed() {
    let shop = Shop::open("order-tracking");
    let (admin, ann, bob) = (&shop.admin, shop.customer("Ann Lee"), shop.customer("Bob Ray"));
    supply(admin, "tea", 1299, 10);
    let placed = ann.post("/orders", &order(&[("tea", 4)])).is(201);
    let path = path_of(&placed);
    wait_levels(admin, "tea", [10, 6, 4, 0, 0]);

    // The customer may not move it on, and for another customer it does not exist.
    for status in ["ACCEPTED", "PREPARED", "SHIPPED", "DELIVERED", "FAILED"] {
        let refused = change(&ann, &path, status);
        assert!(matches!(refused.status, 403 | 409), "{status}: {}", refused.text());
        change(&bob, &path, status).is_problem(404, "order-not-found");
    }
    change(&ann, &path, "LOST").is_problem(400, "unknown-status");
    bob.post(&format!("{path}/cancel"), &json!({})).is_problem(404, "order-not-found");
    bob.after(&placed).get(&path).is_problem(404, "order-not-found");
    bob.after(&placed).get(&format!("/search{path}/history")).is_problem(404, "order-not-found");
    assert_eq!(bob.list("/orders", 10), Vec::<serde_json::Value>::new());

    // Nobody skips a step, and what somebody else changed meanwhile is not changed unseen.
    let skipped = change(admin, &path, "SHIPPED").is_problem(409, "illegal-transition");
    assert_eq!(skipped["allowed"], json!(["ACCEPTED", "CANCELED"]));
    change(admin, &path, "ACCEPTED").is(200);
    change(&admin.with("if-match", "\"2\""), &path, "PREPARED").is_problem(412, "stale-version");
    change(&admin.with("if-match", "\"3\""), &path, "PREPARED").is(200);

    // Once the order is packed, only the shop can stop it. Then the units are available again.
    ann.delete(&path).is_problem(403, "forbidden");
    let canceled = admin.delete(&path).is(200);
    assert_eq!(canceled.json()["status"], "CANCELED");
    wait_levels(admin, "tea", [10, 10, 0, 0, 0]);
    change(admin, &path, "ACCEPTED").is_problem(409, "illegal-transition");
    shop.close();
}
