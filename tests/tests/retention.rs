//! Retention removes the beginning of the log; what is left is verified all the same.

use orderflow_tests::{Server, Stage, batch_line, order, path_of, supply, tamper, wait_until};

/// Whether retention has removed the beginning of this topic, in every partition that has records.
fn is_trimmed(server: &Server, stage: &Stage, topic: &str) -> bool {
    let listed = stage.run(&["topics", "--url", &server.url()]).exits(0).stdout;
    let bounds = |line: &str| {
        let mut numbers = line.split_whitespace().skip(2).map(|number| number.parse::<u64>().unwrap());
        (numbers.next().unwrap(), numbers.next().unwrap())
    };
    let lines = listed.lines().filter(|line| line.split_whitespace().next() == Some(topic));
    lines.map(bounds).all(|(start, end)| start > 0 || end == 0)
}

/// Orders of many customers; `round` tells their keys from others'.
fn order_many(server: &Server, round: u32) {
    let lines: String =
        (0..500).map(|n| batch_line(&format!("r{round}-{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
}

/// Changes an order's row behind the product's back.
fn damage(stage: &Stage, order: &str) {
    let id = order.strip_prefix("/orders/").unwrap().replace('-', "");
    tamper(stage, &format!("UPDATE orders SET total = total + 1 WHERE lower(hex(id)) = '{id}'"));
}

#[test]
fn a_log_without_its_beginning_is_verified_as_far_as_it_tells() {
    let stage = Stage::new()
        .with("segment_bytes", 1 << 20)
        .with("retention_bytes", 1 << 20)
        .with("snapshot_every", 100);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let mut rounds = 0..;
    wait_until("retention has removed the beginnings", || {
        order_many(&server, rounds.next().unwrap());
        let topics = ["orders.commands", "orders.events", "stock.commands", "stock.events"];
        topics.iter().all(|topic| is_trimmed(&server, &stage, topic)).then_some(())
    });
    // Of the last orders the log tells everything.
    let newest = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.admin().after(&newest).wait_decided();
    server.stop();
    let verified = stage.verify_clean();
    assert!(verified.contains("unchecked: "), "{verified}");

    damage(&stage, &path_of(&newest));
    stage.verify().fails_naming(&["order ", "row"]);
}
