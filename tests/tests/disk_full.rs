//! No room: whoever is told no is told so clearly, what was told yes is kept, and it goes on when there is room.

use std::{
    collections::HashSet,
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

use orderflow_tests::{Client, Server, Stage, batch_line, find, order, supply, wait_until};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Lines of orders that are long, so that little room is full soon.
fn long_lines(n: usize) -> (Vec<String>, String) {
    let keys: Vec<_> = (0..100).map(|line| format!("k-{n}-{line}")).collect();
    let line = |key: &String| {
        batch_line(key, key, "tea").replacen('{', &format!("{{\"notes\":\"{}\",", "x".repeat(900)), 1)
    };
    (keys.clone(), keys.iter().map(line).collect())
}

/// Posts batches until one is refused because the log is full; the keys of all that were taken whole.
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
    // Partitions get there one by one, so what is listed may lack some for a while.
    let all = wait_until("every acknowledged order is there and every order reserved", || {
        let all = admin.list("/orders", 1000);
        let reserved = all.iter().all(|order| order["status"] == "RESERVED");
        let keys: HashSet<_> = all.iter().filter_map(|order| order["idempotency_key"].as_str()).collect();
        let there = acknowledged.iter().all(|key| keys.contains(key.as_str()));
        (reserved && there).then_some(all)
    });
    for key in acknowledged {
        assert_eq!(all.iter().filter(|order| order["idempotency_key"] == *key).count(), 1, "{key}");
    }
}

/// Until there is room again, the order may be refused.
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
    // It still answers who only reads, and is still alive.
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

/// A file system of its own, gone at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// `None` where it may not be mounted.
    fn mount(folder: &Path, bytes: u64) -> Option<Self> {
        std::fs::create_dir(folder).expect("a folder can be made");
        let options = format!("size={bytes}");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(folder.to_owned()))
    }

    /// Takes all room that is left, into a file.
    fn fill(&self) -> PathBuf {
        let path = self.0.join("beside");
        let mut file = File::create(&path).expect("a file can be made");
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a server that a failed test left behind may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

#[test]
fn disk_full_on_tmpfs() {
    let stage = Stage::new().with("segment_bytes", MIB);
    let mounted = Tmpfs::mount(&stage.folder.path().join("small"), 96 * MIB);
    let Some(disk) = mounted else {
        eprintln!("skipped: disk_full_on_tmpfs needs root");
        return;
    };
    // In this order, so that the disk is gone before the folder it was mounted on is removed.
    let (stage, disk) = (stage.on(disk.0.join("data")), disk);
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
