//! Copies of a running server's directory, made as `orderflow verify --help` describes, are verified like a stopped
//! server's directory.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use orderflow_tests::{
    Client, Stage, batch_line, copy_file, copy_folder, execute, order, supply, wait_until,
};
use serde_json::json;

/// How often a log is copied again before the copy counts as damaged.
const COPIES_MAX: usize = 10;

/// How many batches are posted at most, twice the number that the copies wait for.
const BATCHES_MAX: usize = 120;

/// Places orders until `stop` is set or the limit is reached.
fn load(client: &Client, stop: &AtomicBool) {
    for round in 0..BATCHES_MAX {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let lines: String =
            (0..50).map(|n| batch_line(&format!("{round}-{n}"), &format!("c{n}"), "tea")).collect();
        client.post_lines("/orders/batch", lines.as_bytes()).is(202);
    }
}

/// The files of a folder, in the reverse order of their names.
fn newest_first(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.reverse();
    files
}

/// Copies the database by its own means, then the snapshots, then the log with its newest segment first.
fn copy_in_order(from: &Path, to: &Path) {
    fs::create_dir_all(to.join("log")).unwrap();
    let copy = to.join("orders.sqlite");
    execute(&from.join("orders.sqlite"), &format!("VACUUM INTO '{}'", copy.display()));
    // A server that has decided little has none yet.
    if from.join("snapshots").is_dir() {
        copy_folder(&from.join("snapshots"), &to.join("snapshots"));
    }
    copy_log(from, to);
}

fn copy_log(from: &Path, to: &Path) {
    for file in newest_first(&from.join("log")) {
        copy_file(&file, &to.join("log").join(file.file_name().unwrap()));
    }
}

/// Whether the newest segment was written to while it was copied. Later blocks then vouch for earlier ones that are
/// missing in the copy, and the log must be copied again.
fn is_cut_between_blocks(copy: &Stage) -> bool {
    copy.verify().stderr.contains("an invalid frame in front of durable ones")
}

#[test]
fn copies_taken_in_order_under_load_are_clean_and_serve() {
    let stage = Stage::new().with("segment_bytes", 1 << 20).with("snapshot_every", 200);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10_000_000);
    let (stop, admin) = (AtomicBool::new(false), server.admin());
    let mut copies = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| load(&admin, &stop));
        let mut wanted = 0;
        for _ in 0..3 {
            wanted += 1_000;
            wait_until("orders are in the database", || {
                let total = server.admin().get("/orders?page=1&limit=1").is(200).json()["total"].as_u64();
                (total >= Some(wanted)).then_some(())
            });
            let copy = Stage::new();
            copy_in_order(stage.data(), copy.data());
            for _ in 0..COPIES_MAX {
                if !is_cut_between_blocks(&copy) {
                    break;
                }
                copy_log(stage.data(), copy.data());
            }
            copies.push(copy);
        }
        stop.store(true, Ordering::Relaxed);
    });
    server.admin().wait_decided();
    server.stop();
    stage.verify_clean();
    for copy in &copies {
        copy.verify_clean();
    }
    let last = copies.pop().unwrap();
    let server = last.serve();
    server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.stop();
    last.verify_clean();
}

#[test]
fn a_copy_with_the_accounts_lets_the_same_people_log_in() {
    let accounts = |stage: Stage| {
        stage.with("admin_email", "ada@example.com").with("admin_password", "pale-otter-43-lamp")
    };
    let stage = accounts(Stage::new());
    let server = stage.serve_with_accounts();
    let person = json!({ "email": "ann@example.com", "name": "Ann", "password": "brown-heron-71-kite" });
    Client::new(server.address).post("/auth/register", &person).is(201);
    let log_in = json!({ "login": "ann@example.com", "password": "brown-heron-71-kite" });
    let tokens = Client::new(server.address).post("/auth/login", &log_in).is(200).json();
    let copy = accounts(Stage::new());
    copy_in_order(stage.data(), copy.data());
    let file = copy.data().join("accounts.sqlite");
    execute(&stage.data().join("accounts.sqlite"), &format!("VACUUM INTO '{}'", file.display()));
    server.kill();
    copy.verify_clean();
    let server = copy.serve_with_accounts();
    server.bearer(tokens["access_token"].as_str().unwrap()).get("/auth/profile").is(200);
    Client::new(server.address).post("/auth/login", &log_in).is(200);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    Client::new(server.address).post("/auth/refresh", &refresh).is(200);
}
