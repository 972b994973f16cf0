//! Damaged data is found and named, and is not taken for whole.

use std::{
    fs::OpenOptions,
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use orderflow_tests::{Stage, batch_line, change, order, path_of, supply, tamper};

/// The directory of a stopped server with 501 orders, one of them canceled, and everything shown.
fn shop() -> Stage {
    let stage = Stage::new().with("segment_bytes", 1 << 20);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000);
    let path = path_of(&server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201));
    let canceled = change(&server.customer("ann"), &path, "CANCELED").is(200);
    let lines: String = (0..500).map(|n| batch_line(&format!("k{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&canceled).get("/orders").is(200);
    server.admin().after(&answer).wait_decided();
    server.stop();
    stage.verify_clean();
    stage
}

#[test]
fn verify_finds_and_names_what_was_changed_in_the_database() {
    for (statement, words) in [
        ("UPDATE orders SET total = total + 1 WHERE idempotency_key = 'k7'", &["order ", "row"][..]),
        ("UPDATE orders SET status = 'ACCEPTED' WHERE idempotency_key = 'k7'", &["order ", "row"]),
        ("UPDATE orders SET version = 9 WHERE idempotency_key = 'k7'", &["order ", "version 9"]),
        ("DELETE FROM orders WHERE idempotency_key = 'k7'", &["lacks 1 orders"]),
        ("UPDATE stock SET available = available + 1 WHERE sku = 'tea'", &["SKU tea"]),
        ("UPDATE stock SET unit_price = 1 WHERE sku = 'tea'", &["SKU tea"]),
        ("DELETE FROM stock WHERE sku = 'tea'", &["lacks SKU tea"]),
        (
            "INSERT INTO stock VALUES ('moon', 1, 1, 1, 0, 0, 0, NULL, NULL, NULL)",
            &["SKU moon", "the log has not"],
        ),
        ("UPDATE order_history SET reason = 'x' WHERE status = 'CANCELED'", &["order ", "history"]),
        ("DELETE FROM order_history WHERE status = 'CANCELED'", &["order ", "history"]),
        (
            "UPDATE order_history SET by_subject = 'eve' WHERE version = 1 AND by_role = 'customer'",
            &["history"],
        ),
        (
            "UPDATE checkpoints SET next_offset = 999999 WHERE topic = 'orders.events'",
            &["checkpoint", "orders.events"],
        ),
        (
            "UPDATE checkpoints SET number = number + 1 WHERE topic = 'stock.events' AND number > 0",
            &["checkpoint", "stock.events"],
        ),
    ] {
        eprintln!("{statement}");
        let stage = shop();
        tamper(&stage, statement);
        let ran = stage.verify().fails_naming(words);
        assert!(ran.stdout.contains("difference: "), "{}", ran.stdout);
        assert!(ran.stderr.contains("differences"), "{}", ran.stderr);
    }
}

#[test]
fn verify_finds_a_checkpoint_that_was_set_back_or_says_what_is_not_shown() {
    let stage = shop();
    tamper(
        &stage,
        "UPDATE checkpoints SET next_offset = next_offset - 1, number = number - 1 WHERE topic = 'orders.events' AND next_offset > 1",
    );
    // The rows are then ahead of the checkpoint, which no crash can cause.
    stage.verify().fails_naming(&["order "]);
}

/// The segment files of the log, oldest first, each with the number of bytes written.
fn segments(stage: &Stage) -> Vec<(PathBuf, u64)> {
    let files = std::fs::read_dir(stage.data().join("log")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "log")).collect();
    files.sort();
    let written = |path: &PathBuf| std::fs::read(path).unwrap().iter().rposition(|byte| *byte != 0);
    files.into_iter().filter_map(|path| written(&path).map(|end| (path, end as u64 + 1))).collect()
}

fn flip(path: &Path, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
    file.sync_all().unwrap();
}

#[test]
fn a_flipped_bit_in_the_log_is_an_error_that_names_the_file() {
    let stage = shop();
    let mut segments = segments(&stage);
    assert!(segments.len() >= 2, "{segments:?}");
    let (last, last_end) = segments.pop().unwrap();
    let (first, first_end) = segments.remove(0);
    for (path, at) in [(&first, first_end / 2), (&first, first_end / 3), (&last, last_end / 3)] {
        let name = path.file_name().unwrap().to_str().unwrap();
        eprintln!("byte {at} of {name}");
        flip(path, at);
        stage.verify().fails_naming(&["damaged log", name]);
        stage.run_on_data(&["tap", "orders.events"]);
        flip(path, at);
        stage.verify_clean();
    }
}

#[test]
fn a_server_does_not_start_on_a_damaged_active_segment() {
    let stage = shop();
    let (last, end) = segments(&stage).pop().unwrap();
    flip(&last, end / 3);
    let name = last.file_name().unwrap().to_str().unwrap();
    stage.start(&["--insecure-no-auth"]).wait().fails_naming(&["damaged log", name]);
    flip(&last, end / 3);
    stage.serve().stop();
    stage.verify_clean();
}

#[test]
fn index_files_and_snapshots_that_are_gone_or_broken_are_made_anew() {
    let stage = shop();
    for entry in std::fs::read_dir(stage.data().join("log")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "idx") {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::remove_dir_all(stage.data().join("snapshots")).unwrap();
    let server = stage.serve();
    server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.stop();
    for topic in ["orders.commands", "stock.commands"] {
        for partition in 0..4 {
            let folder = stage.data().join(format!("snapshots/{topic}/{partition}"));
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let mut file =
                    OpenOptions::new().write(true).truncate(true).open(entry.unwrap().path()).unwrap();
                file.write_all(b"no snapshot").unwrap();
            }
        }
    }
    // Verification reports the damage; the server continues without these snapshots and stores new ones.
    stage.verify().fails_naming(&["damaged snapshot", "it is shorter than its header"]);
    let server = stage.serve();
    server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.stop();
    stage.verify_clean();
}
