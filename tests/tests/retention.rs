//! Retention removes the beginning of the log, and the rest can still be verified.

use orderflow_tests::{
    Server, Stage, batch_line, forgetful, order, order_until_trimmed, path_of, supply, tamper,
};

/// Places orders of many customers. `round` makes their keys unique.
fn order_many(server: &Server, round: u32) {
    let lines: String =
        (0..500).map(|n| batch_line(&format!("r{round}-{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
}

/// Changes the row of an order directly in the database.
fn damage(stage: &Stage, order: &str) {
    let id = order.strip_prefix("/orders/").unwrap().replace('-', "");
    tamper(stage, &format!("UPDATE orders SET total = total + 1 WHERE lower(hex(id)) = '{id}'"));
}

#[test]
fn a_log_without_its_beginning_is_verified_as_far_as_it_tells() {
    let stage = forgetful();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let topics = ["orders.commands", "orders.events", "stock.commands", "stock.events"];
    order_until_trimmed(&server, &stage, &topics, |round| order_many(&server, round));
    // The log still has everything about the latest orders.
    let newest = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.admin().after(&newest).wait_decided();
    server.stop();
    let verified = stage.verify_clean();
    assert!(verified.contains("unchecked: "), "{verified}");

    damage(&stage, &path_of(&newest));
    stage.verify().fails_naming(&["order ", "row"]);
}
