//! Snapshots: each must equal the fold of the log, and a server needs none of them while the log is complete.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crc_fast::{CrcAlgorithm, checksum};
use orderflow_tests::{Server, Stage, batch_line, forgetful, order, order_until_trimmed, supply, wait_until};

/// The position of the checksum in a snapshot; it covers the bytes after it.
const CRC: std::ops::Range<usize> = 12..16;

fn place(server: &Server, round: u32) {
    let lines: String =
        (0..100).map(|n| batch_line(&format!("r{round}-{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
}

/// The directory of a stopped server whose order processors have two snapshots each.
fn shop(stage: Stage) -> Stage {
    for round in 0..3 {
        let server = stage.serve();
        if round == 0 {
            supply(&server.admin(), "tea", 100, 100_000);
        }
        place(&server, round);
        server.stop();
    }
    stage.verify_clean();
    stage
}

/// The snapshots of each processor, oldest first.
fn snapshots(stage: &Stage) -> Vec<Vec<PathBuf>> {
    let folders = fs::read_dir(stage.data().join("snapshots")).unwrap();
    let partitions = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
    let mut all = Vec::new();
    for partition in partitions {
        let files = fs::read_dir(partition.unwrap().path()).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        all.push(files);
    }
    all
}

/// Changes one byte of a file. With `checksummed`, also corrects the checksum.
fn change_byte(path: &Path, from_end: usize, checksummed: bool) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    if checksummed {
        write_checksummed(path, bytes);
    } else {
        fs::write(path, bytes).unwrap();
    }
}

fn write_checksummed(path: &Path, mut bytes: Vec<u8>) {
    let crc = checksum(CrcAlgorithm::Crc32Iscsi, &bytes[CRC.end..]) as u32;
    bytes[CRC].copy_from_slice(&crc.to_le_bytes());
    fs::write(path, bytes).unwrap();
}

fn name(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn verify_names_every_snapshot_that_is_not_the_fold_of_the_log() {
    let shop = shop(Stage::new());
    let clean = shop.verify_clean();
    let kept = snapshots(&shop).iter().map(Vec::len).sum::<usize>();
    assert!(clean.contains(&format!("{kept} snapshots")) && kept >= 9, "{clean}");
    let files = |stage: &Stage| {
        let both = snapshots(stage).into_iter().find(|files| files.len() == 2);
        <[PathBuf; 2]>::try_from(both.unwrap()).unwrap()
    };
    for which in [0, 1] {
        let stage = shop.copy();
        let path = &files(&stage)[which];
        change_byte(path, 20, false);
        stage.verify().fails_naming(&["damaged snapshot", name(path), "its checksum is wrong"]);
        change_byte(path, 20, false);
        change_byte(path, 1, true);
        stage.verify().fails_naming(&["damaged snapshot", name(path), "is not the fold of the log"]);
    }
    let stage = shop.copy();
    let [older, newer] = files(&stage);
    fs::copy(&older, &newer).unwrap();
    stage.verify().fails_naming(&["damaged snapshot", name(&newer), "it is of offset"]);
    let ahead = newer.with_file_name("00000000000000099999.snap");
    fs::rename(&newer, &ahead).unwrap();
    stage.verify().fails_naming(&["damaged snapshot", name(&ahead)]);
}

#[test]
fn an_order_of_a_snapshot_that_was_changed_is_named() {
    let stage = shop(Stage::new());
    let orders = |path: &PathBuf| path.to_str().unwrap().contains("orders.commands");
    let newest: Vec<PathBuf> = snapshots(&stage).into_iter().filter_map(|mut files| files.pop()).collect();
    let path = newest.into_iter().find(orders).unwrap();
    let whole = fs::read(&path).unwrap();
    let places: Vec<usize> =
        whole.windows(8).enumerate().filter(|(_, word)| word == b"RESERVED").map(|(at, _)| at).collect();
    // Changes in front of the order and inside it: another letter, an invalid character, another length.
    for (place, byte, change) in [(0, 7, b'X'), (1, 7, b'X'), (0, 7, 0xff), (1, 7, 0xff), (1, -1, 3)] {
        let mut bytes = whole.clone();
        bytes[places[place].checked_add_signed(byte).unwrap()] = change;
        write_checksummed(&path, bytes);
        stage.verify().fails_naming(&["damaged snapshot", name(&path)]);
    }
    // The part in front cannot be read: the snapshot is skipped.
    let mut bytes = whole.clone();
    bytes[places[0]] = 0xff;
    write_checksummed(&path, bytes);
    let server = stage.serve();
    assert_eq!(passed_over(&server).len(), 1);
    place(&server, 3);
}

/// The log lines of a server about skipped snapshots.
fn passed_over(server: &Server) -> Vec<String> {
    let said = server.stderr();
    said.lines().filter(|line| line.contains("snapshot passed over")).map(str::to_owned).collect()
}

#[test]
fn a_damaged_newest_snapshot_falls_back_to_the_one_before_and_is_named() {
    let stage = shop(Stage::new());
    let damaged: Vec<PathBuf> = snapshots(&stage)
        .into_iter()
        .filter(|files| files.len() == 2)
        .map(|files| files[1].clone())
        .collect();
    assert!(damaged.len() >= 4, "{damaged:?}");
    damaged.iter().for_each(|path| change_byte(path, 20, false));
    let server = stage.serve();
    let said = passed_over(&server);
    assert_eq!(said.len(), damaged.len(), "{said:?}");
    for path in &damaged {
        assert!(said.iter().any(|line| line.contains(name(path)) && line.contains("checksum")), "{said:?}");
    }
    place(&server, 3);
    server.stop();
    // Recovery has replaced the damaged snapshots.
    let verified = stage.verify_clean();
    assert!(verified.contains(" 400 orders"), "{verified}");
}

#[test]
fn a_snapshot_of_a_newer_format_is_passed_over() {
    let stage = shop(Stage::new());
    for path in snapshots(&stage).into_iter().flatten() {
        let mut bytes = fs::read(&path).unwrap();
        bytes[8..12].copy_from_slice(&99u32.to_le_bytes());
        fs::write(&path, bytes).unwrap();
    }
    let server = stage.serve();
    let said = passed_over(&server);
    assert!(said.iter().all(|line| line.contains("its format is 99")) && said.len() >= 9, "{said:?}");
    place(&server, 3);
    server.stop();
}

#[test]
fn without_snapshots_a_whole_log_is_enough_and_a_shortened_one_is_a_clear_error() {
    let stage = shop(Stage::new());
    snapshots(&stage).into_iter().flatten().for_each(|path| change_byte(&path, 20, false));
    let server = stage.serve();
    server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.stop();

    let stage = forgetful();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    order_until_trimmed(&server, &stage, &["orders.events"], |round| place(&server, round));
    server.stop();
    stage.verify_clean();
    for path in snapshots(&stage).into_iter().flatten() {
        change_byte(&path, 20, false);
    }
    stage.verify().fails_naming(&["damaged snapshot", "no snapshot that can be read goes on from there"]);
    let ran = stage.start(&["--insecure-no-auth"]).wait();
    ran.fails_naming(&["no snapshot that can be read", "retention has removed"]);
}

/// The offset at which a snapshot continues in the events.
fn events_next(path: &Path) -> u64 {
    u64::from_le_bytes(fs::read(path).unwrap()[32..40].try_into().unwrap())
}

/// How many events the processor of this partition folded at the start, according to its log line.
fn events_folded(server: &Server, input: &str) -> u64 {
    let line = wait_until("the processor says that it has recovered", || {
        let log = server.stderr();
        let line = log.lines().find(|line| line.contains("processor recovered") && line.contains(input));
        line.map(str::to_owned)
    });
    let (_, number) = line.split_once("events_folded=").unwrap();
    number.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_restart_folds_only_what_was_decided_since_the_newest_snapshot() {
    let stage = Stage::new().with("snapshot_every", 50).with("log", "info");
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let newest = |partition: u32| {
        let folder = stage.data().join(format!("snapshots/orders.commands/{partition}"));
        let files = fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|end| end == "snap")).max()
    };
    let mut rounds = 0..;
    wait_until("each order processor has a snapshot of many events", || {
        place(&server, rounds.next().unwrap());
        (0..4).all(|n| newest(n).is_some_and(|path| events_next(&path) > 300)).then_some(())
    });
    server.kill();
    let listed = stage.run_on_data(&["topics"]).exits(0).stdout;
    let ends: Vec<u64> = listed
        .lines()
        .filter(|line| line.starts_with("orders.events"))
        .map(|line| line.split_whitespace().nth(3).unwrap().parse().unwrap())
        .collect();
    let left: Vec<u64> = (0..4).map(|n| ends[n as usize] - events_next(&newest(n).unwrap())).collect();
    let server = stage.serve();
    for (n, left) in left.into_iter().enumerate() {
        assert_eq!(events_folded(&server, &format!("orders.commands/{n}")), left, "partition {n}");
    }
    place(&server, 9_999);
    server.stop();
    stage.verify_clean();
}
