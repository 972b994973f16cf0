//! An orderly stop: everything that a server acknowledged exists after the restart.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use orderflow_tests::{
    Client, Server, Stage, batch_line, copy_file, copy_folder, find, order, supply, wait_levels, wait_until,
};
use serde_json::Value;

/// How many orders one customer places at most.
const SINGLES_MAX: usize = 2_000;
/// How many batches are posted at most.
const BATCHES_MAX: usize = 200;

/// Places orders one after the other until the server is gone, and adds each acknowledged one to `acknowledged`.
fn place_until_gone(client: &Client, name: &str, count: &AtomicUsize, acknowledged: &Mutex<Vec<Value>>) {
    let wanted = order(&[("tea", 1)]).to_string();
    for n in 0..SINGLES_MAX {
        let client =
            client.with("content-type", "application/json").with("idempotency-key", format!("{name}-{n}"));
        let Ok(answer) = client.try_send("POST", "/orders", wanted.as_bytes()) else { return };
        if answer.status == 503 {
            answer.is_problem(503, "shutting-down");
            return;
        }
        acknowledged.lock().unwrap().push(answer.is(201).json());
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Places batches until the server is gone. The lines of a batch are acknowledged together.
fn batch_until_gone(client: &Client, count: &AtomicUsize, keys: &Mutex<Vec<String>>) {
    for n in 0..BATCHES_MAX {
        let new: Vec<_> = (0..50).map(|line| format!("batch-{n}-{line}")).collect();
        let lines: String = new.iter().map(|key| batch_line(key, &format!("customer-{n}"), "tea")).collect();
        let client = client.with("content-type", "application/x-ndjson");
        let Ok(answer) = client.try_send("POST", "/orders/batch", lines.as_bytes()) else { return };
        if answer.status != 202 {
            return;
        }
        assert_eq!(answer.json()["accepted"], 50);
        keys.lock().unwrap().extend(new);
        count.fetch_add(50, Ordering::Relaxed);
    }
}

fn stop_under_load(server: Server, orders: usize) -> (Vec<Value>, Vec<String>) {
    let (count, placed, keys) = (AtomicUsize::new(0), Mutex::default(), Mutex::default());
    let (admin, callers) =
        (server.admin(), ["ann", "bob", "cid", "dan"].map(|name| (name, server.customer(name))));
    std::thread::scope(|scope| {
        for (name, client) in &callers {
            scope.spawn(|| place_until_gone(client, name, &count, &placed));
        }
        scope.spawn(|| batch_until_gone(&admin, &count, &keys));
        wait_until("there is load", || (count.load(Ordering::Relaxed) >= orders).then_some(()));
        server.stop();
    });
    (placed.into_inner().unwrap(), keys.into_inner().unwrap())
}

#[test]
fn a_server_that_is_asked_to_stop_under_load_loses_nothing_and_exits_0() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let (placed, keys) = stop_under_load(server, 600);
    stage.verify_clean();
    let server = stage.serve();
    let admin = server.admin();
    let head = admin.post("/orders", &{
        let mut last = order(&[("tea", 1)]);
        last["customer_id"] = "last".into();
        last
    });
    let admin = admin.after(&head.is(201));
    admin.wait_decided();
    wait_until("the last batch is shown", || {
        keys.last().is_none_or(|key| find(&admin, key).is_some()).then_some(())
    });
    let all = admin.list("/orders", 1000);
    for order in &placed {
        let there: Vec<_> = all
            .iter()
            .filter(|other| {
                other["idempotency_key"] == order["idempotency_key"]
                    && other["customer_id"] == order["customer_id"]
            })
            .collect();
        assert_eq!(there, [order]);
    }
    for key in &keys {
        assert_eq!(all.iter().filter(|order| order["idempotency_key"] == key.as_str()).count(), 1, "{key}");
    }
    let units = all.len() as u64;
    wait_levels(&admin, "tea", [1_000_000, 1_000_000 - units, units, 0, 0]);
    server.stop();
    stage.verify_clean();
}

/// A copy of this one file is a complete copy of a stopped server's database.
#[test]
fn a_stopped_server_leaves_one_file_with_everything_in_it() {
    let stage = Stage::new();
    let server = stage.serve();
    let placed = supply(&server.admin(), "tea", 100, 10);
    server.admin().after(&placed).get("/inventory/tea").is(200);
    server.stop();
    let (file, wal) = (stage.data().join("orders.sqlite"), stage.data().join("orders.sqlite-wal"));
    if !file.exists() {
        return; // The database is in Postgres.
    }
    assert!(!wal.exists(), "the WAL is still there");
    let copy = Stage::new();
    copy_folder(&stage.data().join("log"), &copy.data().join("log"));
    copy_file(&file, &copy.data().join("orders.sqlite"));
    copy.verify_clean();
}

#[test]
fn ctrl_c_stops_in_order_too() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1);
    server.interrupt();
    let ran = server.wait().exits(0);
    assert!(!ran.stderr.contains("orderflow: "), "{}", ran.stderr);
    stage.verify_clean();
}

#[test]
fn an_idle_server_that_comes_back_shows_the_same() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let placed = server.customer("ann").post("/orders", &order(&[("tea", 3)])).is(201);
    let shown = server.admin().after(&placed).list("/orders", 10);
    server.stop();
    for _ in 0..3 {
        let server = stage.serve();
        wait_levels(&server.admin(), "tea", [10, 7, 3, 0, 0]);
        assert_eq!(server.admin().list("/orders", 10), shown);
        server.stop();
    }
    stage.verify_clean();
}
