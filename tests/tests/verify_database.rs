//! `orderflow verify` names surplus, missing and premature rows of the database, and accepts a database that lags.

use orderflow_tests::{
    Server, Stage, batch_line, change, copy_file, order, path_of, supply, tamper, wait_until,
};

fn place(server: &Server, round: u32) {
    let lines: String =
        (0..40).map(|n| batch_line(&format!("r{round}-{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
}

/// The directory of a stopped server with 41 orders, one of them canceled, and everything shown.
fn shop() -> Stage {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000);
    let path = path_of(&server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201));
    change(&server.customer("ann"), &path, "CANCELED").is(200);
    place(&server, 0);
    server.stop();
    stage.verify_clean();
    stage
}

#[test]
fn rows_that_are_too_many_or_missing_are_named() {
    let shop = shop();
    for (statement, words) in [
        (
            "INSERT INTO orders SELECT randomblob(16), customer_id, status, version, currency, total, lines, channel, \
             notes, fail_reason, failures, idempotency_key, placed_at, created_at, updated_at, reserve_for, \
             courier_id, acted_by, acted_at, returned FROM orders LIMIT 1",
            &["the database has order ", "the log has not"][..],
        ),
        ("DELETE FROM orders", &["the database lacks 41 orders", "the first is order "]),
        (
            "INSERT INTO order_history SELECT order_id, version + 90, type, status, from_status, at, by_role, \
             by_subject, reason, cause FROM order_history WHERE status = 'CANCELED'",
            &["history has version 93, the log has not"],
        ),
        (
            "INSERT INTO order_history SELECT randomblob(16), version, type, status, from_status, at, by_role, \
             by_subject, reason, cause FROM order_history WHERE status = 'CANCELED'",
            &["history has version 3, the log has not"],
        ),
        ("DELETE FROM order_history WHERE status = 'CANCELED'", &["history lacks version 3"]),
        ("DELETE FROM order_history", &["history lacks version 1", "… and "]),
        (
            "UPDATE order_history SET cause = cause + 1 WHERE status = 'CANCELED'",
            &["version 3 of the database's history is not that of the log"],
        ),
        (
            "UPDATE order_counts SET count = count + 1 WHERE status = 'CANCELED'",
            &["the database counts 2 orders in CANCELED, and has 1"],
        ),
        (
            "UPDATE checkpoints SET next_offset = next_offset + 9 WHERE topic = 'orders.events' AND next_offset > 0",
            &["orders.events/", "the database is ahead of the log"],
        ),
        ("UPDATE checkpoints SET number = number - 1 WHERE number > 0", &["checkpoint", "has number"]),
    ] {
        eprintln!("{statement}");
        let stage = shop.copy();
        tamper(&stage, statement);
        stage.verify().fails_naming(words);
    }
}

#[test]
fn a_database_behind_the_log_lags_and_one_ahead_of_it_is_named() {
    let stage = shop();
    let earlier = stage.copy();
    let server = stage.serve();
    place(&server, 1);
    server.stop();
    stage.verify_clean();

    // The earlier database with the later log: the database shows the rest after the next start.
    let behind = stage.copy();
    for name in ["orders.sqlite", "orders.sqlite-wal", "orders.sqlite-shm"] {
        std::fs::remove_file(behind.data().join(name)).ok();
        copy_file(&earlier.data().join(name), &behind.data().join(name));
    }
    let verified = behind.verify_clean();
    assert!(
        verified.contains("pending until the next start: 0 commands to decide, 120 events to show"),
        "{verified}"
    );
    let server = behind.serve();
    wait_until("the database shows the rest", || {
        let total = server.admin().get("/orders?page=1&limit=1").is(200).json()["total"].as_u64();
        (total == Some(81)).then_some(())
    });
    server.stop();
    behind.verify_clean();

    // The later database with the earlier log: each partition is named once, not each row.
    let ahead = earlier;
    for name in ["orders.sqlite", "orders.sqlite-wal", "orders.sqlite-shm"] {
        std::fs::remove_file(ahead.data().join(name)).ok();
        copy_file(&stage.data().join(name), &ahead.data().join(name));
    }
    let ran =
        ahead.verify().fails_naming(&["the database is ahead of the log", "copied before the database"]);
    assert!(!ran.stdout.contains("difference: order "), "{}", ran.stdout);
    assert!(ran.stdout.contains("unchecked: "), "{}", ran.stdout);
}

#[test]
fn a_log_is_verified_without_a_database_too() {
    let stage = shop();
    for name in ["orders.sqlite", "orders.sqlite-wal", "orders.sqlite-shm"] {
        std::fs::remove_file(stage.data().join(name)).ok();
    }
    let verified = stage.verify_clean();
    assert!(verified.contains(" 41 orders, 1 SKUs") && verified.contains("events to show"), "{verified}");
}

#[test]
fn a_small_sort_buffer_finds_what_a_large_one_finds() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 100_000);
    (0..50).for_each(|round| place(&server, round));
    server.stop();
    // There is space for two changes in memory, so that thousands of runs are written and merged level by level.
    let small = |stage: &Stage| stage.run_on_data(&["verify", "--sort-bytes", "200"]);
    assert_eq!(small(&stage).exits(0).stdout, stage.verify_clean());
    tamper(&stage, "UPDATE orders SET total = total + 1 WHERE idempotency_key LIKE 'r%-7'");
    tamper(
        &stage,
        "DELETE FROM order_history WHERE version = 2 AND order_id IN (SELECT id FROM orders LIMIT 3)",
    );
    assert_eq!(small(&stage).exits(1).stdout, stage.verify().exits(1).stdout);
    let scratch = stage.folder.path().join("none");
    let ran = stage.run_on_data(&["verify", "--scratch", scratch.to_str().unwrap()]);
    ran.fails_naming(&["orders cannot be sorted in", "--scratch"]);
}
