//! A full disk: refusals are clear, acknowledged data is kept, and the server continues when there is space.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicBool, Ordering},
};

use orderflow_tests::{
    Client, Server, Shopper, Stage, Tmpfs, batch_line, find,
    history::{Ending, Entry, History, Outcome, check_all, is_linearizable},
    open_shop, order, path_of, settle, supply, wait_until,
};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Lines with long orders, so that little space is full soon.
fn long_lines(n: usize) -> (Vec<String>, String) {
    let keys: Vec<_> = (0..100).map(|line| format!("k-{n}-{line}")).collect();
    let line = |key: &String| {
        batch_line(key, key, "tea").replacen('{', &format!("{{\"notes\":\"{}\",", "x".repeat(900)), 1)
    };
    (keys.clone(), keys.iter().map(line).collect())
}

/// Posts batches until one is refused because the log is full. Returns the keys of all batches that were accepted as
/// a whole.
fn fill(server: &Server, from: usize) -> Vec<String> {
    let admin = server.admin();
    let mut acknowledged = Vec::new();
    for n in from.. {
        let (keys, lines) = long_lines(n);
        let answer = admin.post_lines("/orders/batch", lines.as_bytes());
        if answer.status != 202 {
            answer.is_problem(503, "log-full");
            assert!(answer.header("retry-after").is_some(), "{}", answer.text());
            return acknowledged;
        }
        assert_eq!(answer.json()["accepted"], 100);
        acknowledged.extend(keys);
        assert!(acknowledged.len() < 1_000_000, "it is never full");
    }
    unreachable!("there is always another number")
}

#[track_caller]
fn all_there(admin: &Client, acknowledged: &[String]) {
    admin.wait_decided();
    let last = acknowledged.last().expect("something was acknowledged");
    wait_until("the last order is shown", || find(admin, last));
    // Partitions reach their state one by one, so a list may lack some orders for a while.
    let all = wait_until("every acknowledged order is there and every order reserved", || {
        let mut all = admin.list("/orders", 1000);
        all.retain(|order| order["idempotency_key"].as_str().is_some_and(|key| key.starts_with("k-")));
        let reserved = all.iter().all(|order| order["status"] == "RESERVED");
        let keys: HashSet<_> = all.iter().filter_map(|order| order["idempotency_key"].as_str()).collect();
        let there = acknowledged.iter().all(|key| keys.contains(key.as_str()));
        (reserved && there).then_some(all)
    });
    let mut keys = HashSet::new();
    for order in &all {
        assert!(keys.insert(order["idempotency_key"].as_str()), "it is there twice: {order}");
    }
}

/// Places an order, and repeats it while it is refused for lack of space.
fn place_when_there_is_room(server: &Server) -> Value {
    let ann = server.customer("ann").with("idempotency-key", "after");
    wait_until("there is room", || {
        let answer = ann.post("/orders", &order(&[("tea", 1)]));
        if answer.status == 201 {
            return Some(answer.json());
        }
        answer.is_problem(503, "log-full");
        None
    })
}

#[test]
fn a_log_at_its_limit_says_so_keeps_what_it_took_and_goes_on_with_a_larger_one() {
    let mut stage =
        Stage::new().with("segment_bytes", MIB).with("log_bytes_max", 6 * MIB).with("decision_within_s", 1);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let acknowledged = fill(&server, 0);
    // Reads are still answered, and the server is alive.
    server.admin().get("/orders?limit=1").is(200);
    server.admin().get("/health/live").is(200);
    server.stop();
    stage.verify().exits(0);

    stage.set("log_bytes_max", 64 * MIB);
    let server = stage.serve();
    let placed = place_when_there_is_room(&server);
    assert_eq!(placed["status"], "RESERVED");
    all_there(&server.admin(), &acknowledged);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_log_at_its_limit_gets_out_of_it_by_itself_once_retention_allows_it() {
    let stage = Stage::new()
        .with("segment_bytes", MIB)
        .with("log_bytes_max", 12 * MIB)
        .with("retention_bytes", 3 * MIB)
        .with("snapshot_every", 100);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        acknowledged.extend(fill(&server, round * 100_000));
        // Accepted commands are decided even in a full log, and the log may then remove them.
        server.admin().wait_decided();
        assert_eq!(place_when_there_is_room(&server)["status"], "RESERVED");
    }
    all_there(&server.admin(), &acknowledged);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_full_log_can_be_killed_and_comes_back() {
    let mut stage = Stage::new().with("segment_bytes", MIB).with("log_bytes_max", 4 * MIB);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let acknowledged = fill(&server, 0);
    server.kill();
    stage.set("log_bytes_max", 64 * MIB);
    let server = stage.serve();
    all_there(&server.admin(), &acknowledged);
    server.stop();
    stage.verify_clean();
}

/// A stage whose data directory (log, database and snapshots) is on a disk of `bytes` bytes. The stage comes first in
/// the tuple, so that the disk is unmounted before its folder is removed.
fn small_disk(bytes: u64, test: &str) -> Option<(Stage, Tmpfs)> {
    let stage = Stage::new().with("segment_bytes", MIB).with("snapshot_every", 200);
    let disk = Tmpfs::mount(&stage.folder.path().join("small"), bytes, test)?;
    let data = disk.folder().join("data");
    Some((stage.on(data), disk))
}

#[test]
fn disk_full_on_tmpfs() {
    let Some((stage, disk)) = small_disk(96 * MIB, "disk_full_on_tmpfs") else { return };
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let before = server.admin().post_lines("/orders/batch", long_lines(0).1.as_bytes()).is(202);
    server.admin().after(&before).wait_decided();

    let beside = disk.fill();
    let mut acknowledged = fill(&server, 1);
    acknowledged.extend(long_lines(0).0);
    server.admin().get("/health/live").is(200);
    std::fs::remove_file(beside).unwrap();
    let placed = place_when_there_is_room(&server);
    assert_eq!(placed["status"], "RESERVED");
    all_there(&server.admin(), &acknowledged);
    server.stop();
    stage.verify_clean();
}

/// Posts single orders until even one is refused. Returns the paths of the accepted orders.
fn fill_to_the_brim(server: &Server) -> Vec<String> {
    let (ann, mut paths) = (server.customer("ann").with("prefer", "respond-async"), Vec::new());
    let mut wanted = order(&[("tea", 1)]);
    wanted["notes"] = "x".repeat(900).into();
    loop {
        let answer = ann.post("/orders", &wanted);
        if answer.status == 202 {
            paths.push(path_of(&answer));
            continue;
        }
        answer.is_problem(503, "log-full");
        return paths;
    }
}

/// Fills the disk while shoppers are active, makes it larger, and lets the shoppers continue. Returns the keys of the
/// batches and the paths of the orders that were accepted meanwhile.
fn shop_while_it_is_full(
    server: &Server,
    disk: &Tmpfs,
    shoppers: &mut [Shopper],
    history: &History,
) -> (Vec<String>, Vec<String>) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for shopper in &mut *shoppers {
            scope.spawn(|| shopper.shop(server, SCARCE, history, &stop));
        }
        wait_until("shoppers shop", || (history.len() > 200).then_some(()));
        let (keys, paths) = (fill(server, 0), fill_to_the_brim(server));
        wait_until("shoppers are told too", || history.has(is_full).then_some(()));
        // Reads are answered, and the server is reported as healthy to its supervisor.
        server.admin().get("/orders?limit=1").is(200);
        server.admin().get("/health/live").is(200);
        disk.grow(256 * MIB);
        let (grown, before) = (history.now(), history.len());
        let goes_on = |entry: &Entry| entry.invoked > grown && entry.outcome.is_yes();
        wait_until("they go on", || (history.len() > before + 200 && history.has(goes_on)).then_some(()));
        stop.store(true, Ordering::Relaxed);
        (keys, paths)
    })
}

fn is_full(entry: &Entry) -> bool {
    entry.outcome == Outcome::Refused("log-full".to_owned())
}

const SCARCE: &str = "scarce";

#[test]
fn a_disk_that_fills_up_under_load_says_so_and_goes_on_by_itself_when_it_is_larger() {
    let test = "a_disk_that_fills_up_under_load_says_so_and_goes_on_by_itself_when_it_is_larger";
    let Some((stage, disk)) = small_disk(24 * MIB, test) else { return };
    let stage = stage.with("decision_within_s", 1);
    let (server, history) = (stage.serve(), History::default());
    let mut shoppers: Vec<_> = (0..4).map(|number| Shopper::new(number, fastrand::u64(..))).collect();
    open_shop(&server, &[SCARCE.to_owned()], &history);
    supply(&server.admin(), "tea", 100, 1_000_000);
    let (acknowledged, paths) = shop_while_it_is_full(&server, &disk, &mut shoppers, &history);
    place_when_there_is_room(&server);
    shoppers.iter_mut().for_each(|shopper| shopper.finish(&server, &history));
    settle(&server.admin());
    all_there(&server.admin(), &acknowledged);
    for path in &paths {
        assert_eq!(server.admin().get(path).is(200).json()["status"], "RESERVED");
    }
    let (orders, stock) = (server.admin().list("/orders", 1000), server.admin().list("/inventory", 1000));
    server.stop();
    stage.verify_clean();
    // The batches and the tea are checked above; the history does not contain them.
    let entries = history.into_entries();
    let theirs =
        |order: &Value| order["customer_id"].as_str().is_some_and(|name| name.starts_with("shopper-"));
    let orders: Vec<_> = orders.into_iter().filter(theirs).collect();
    let stock: Vec<_> = stock.into_iter().filter(|stock| stock["sku"] != "tea").collect();
    let mut ending = Ending::of(&stage, &orders, &stock);
    ending.changes.retain(|change| change.customer.starts_with("shopper-"));
    check_all(&entries, &ending).unwrap();
    is_linearizable(&entries, &ending, SCARCE).unwrap();
}

#[test]
fn a_server_that_is_killed_on_a_full_disk_comes_back_once_there_is_room() {
    let test = "a_server_that_is_killed_on_a_full_disk_comes_back_once_there_is_room";
    let Some((stage, disk)) = small_disk(24 * MIB, test) else { return };
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let acknowledged = fill(&server, 0);
    server.kill();
    disk.fill();
    // Without any space the server may be unable to start; it then ends and gives the reason.
    let mut started = stage.start(&["--insecure-no-auth"]);
    let serves = wait_until("it serves or has ended", || {
        (started.stderr().contains("orderflow serves") || !started.is_alive()).then(|| started.is_alive())
    });
    if serves {
        started.kill();
    } else {
        let ran = started.wait().exits(1);
        eprintln!("{}", ran.stderr);
        assert!(ran.stderr.contains("orderflow: "), "{}", ran.stderr);
    }
    disk.grow(256 * MIB);
    let server = stage.serve();
    all_there(&server.admin(), &acknowledged);
    server.stop();
    stage.verify_clean();
}
