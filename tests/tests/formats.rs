//! Today's program opens data directories of every earlier format, and refuses those of later formats with a clear
//! sentence.
//!
//! `ORDERFLOW_WRITE_FIXTURE=NAME` makes the first test write a new fixture with today's program; see
//! `tests/fixtures/data-directories/README.md`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use orderflow_tests::{
    Server, Stage, batch_line, change, order, path_of, repository, supply, tamper, wait_until,
};
use serde_json::{Value, json};

/// The file with the answers that the server of a fixture gave when the fixture was made.
const ANSWERS: &str = "answers.json";

fn fixtures() -> PathBuf {
    repository().join("tests/fixtures/data-directories")
}

/// All orders with their histories, and all stock.
fn answers(server: &Server) -> Value {
    let admin = server.admin();
    let orders = admin.list("/orders", 100);
    let history = |order: &Value| {
        let id = order["id"].as_str().unwrap();
        admin.get(&format!("/search/orders/{id}/history")).is(200).json()
    };
    let histories: Vec<Value> = orders.iter().map(history).collect();
    json!({ "orders": orders, "histories": histories, "stock": admin.list("/inventory", 100) })
}

/// Creates orders in several states, in a directory with a snapshot and events after it.
fn tell(stage: &Stage) -> Value {
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000);
    supply(&server.admin(), "jam", 250, 3);
    let path = path_of(&server.customer("ann").post("/orders", &order(&[("tea", 2), ("jam", 1)])).is(201));
    change(&server.admin().with("idempotency-key", "c1"), &path, "ACCEPTED").is(200);
    change(&server.admin().with("idempotency-key", "c2"), &path, "DELIVERED").is(409);
    // The snapshots then have idempotency keys, orders with a due time, and a resolved reservation.
    let lines: String = (0..10).map(|n| batch_line(&format!("early{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
    let path = path_of(&server.customer("cem").post("/orders", &order(&[("tea", 3)])).is(201));
    change(&server.customer("cem"), &path, "CANCELED").is(200);
    server.stop();
    let server = stage.serve();
    let path = path_of(&server.customer("bob").post("/orders", &order(&[("tea", 1)])).is(201));
    change(&server.customer("bob"), &path, "CANCELED").is(200);
    server.customer("bob").post("/orders", &order(&[("jam", 9)])).is(409);
    let lines: String = (0..20).map(|n| batch_line(&format!("k{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
    let answers = answers(&server);
    // The server is killed, so that opening the directory needs recovery.
    server.kill();
    answers
}

fn pack(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            pack(&path, &to.join(name));
        } else if name != "LOCK" && !name.ends_with("-shm") {
            let packed = zstd::encode_all(fs::File::open(&path).unwrap(), 19).unwrap();
            fs::write(to.join(format!("{name}.zst")), packed).unwrap();
        }
    }
}

fn unpack(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            unpack(&path, &to.join(name));
        } else if let Some(name) = name.strip_suffix(".zst") {
            let bytes = zstd::decode_all(fs::File::open(&path).unwrap()).unwrap();
            fs::write(to.join(name), bytes).unwrap();
        }
    }
}

fn write_fixture(name: &str) {
    let stage = Stage::new().with("segment_bytes", 1 << 20);
    let answers = tell(&stage);
    let folder = fixtures().join(name);
    assert!(!folder.exists(), "{} is there already; fixtures are kept as they are", folder.display());
    pack(stage.data(), &folder.join("data"));
    fs::write(folder.join(ANSWERS), serde_json::to_string_pretty(&answers).unwrap() + "\n").unwrap();
}

#[test]
fn data_directories_of_every_format_are_opened_verified_and_go_on() {
    if let Ok(name) = std::env::var("ORDERFLOW_WRITE_FIXTURE") {
        write_fixture(&name);
    }
    let folders = fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = folders.filter(|path| path.is_dir()).collect();
    assert!(!folders.is_empty());
    for folder in folders {
        eprintln!("{}", folder.display());
        let expected: Value = serde_json::from_slice(&fs::read(folder.join(ANSWERS)).unwrap()).unwrap();
        let stage = Stage::new().with("segment_bytes", 1 << 20);
        unpack(&folder.join("data"), stage.data());
        let server = stage.serve();
        let orders = expected["orders"].as_array().unwrap().len();
        wait_until("all orders are in the database", || {
            (server.admin().list("/orders", 100).len() == orders).then_some(())
        });
        server.admin().wait_decided();
        assert_eq!(answers(&server), expected, "{}", folder.display());
        let more = server.customer("zoe").post("/orders", &order(&[("tea", 1)])).is(201);
        server.admin().after(&more).get(&path_of(&more)).is(200);
        server.stop();
        stage.verify_clean();
    }
}

/// The directory of a stopped server with one order.
fn shop() -> Stage {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let placed = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.admin().after(&placed).get("/orders").is(200);
    server.stop();
    stage
}

#[test]
fn a_log_of_a_format_to_come_is_refused_and_left_alone() {
    let stage = shop();
    let path = stage.data().join("log/topics.json");
    let text = fs::read_to_string(&path).unwrap();
    let newer = text.replacen("\"format\": 2", "\"format\": 3", 1);
    assert_ne!(text, newer, "{text}");
    fs::write(&path, &newer).unwrap();
    let sentence = ["topics.json", "its format is 3, this version reads 2"];
    stage.start(&["--insecure-no-auth"]).wait().fails_naming(&sentence);
    stage.verify().fails_naming(&sentence);
    assert_eq!(fs::read_to_string(&path).unwrap(), newer);
    fs::write(&path, text).unwrap();
    stage.verify_clean();
}

#[test]
fn a_database_of_a_format_to_come_is_refused() {
    let stage = shop();
    tamper(
        &stage,
        "INSERT INTO _sqlx_migrations SELECT 99, description, installed_on, success, checksum, execution_time FROM \
         _sqlx_migrations LIMIT 1",
    );
    let ran = stage.start(&["--insecure-no-auth"]).wait();
    ran.fails_naming(&["the database has schema version 99", "use the newer program"]);
}
