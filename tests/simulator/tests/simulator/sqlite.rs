//! The real database sink on the simulated disk, with kills, power cuts and faults at any of its operations.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::pin,
    task::{Context, Poll, Waker},
};

use orderflow_database::{DatabaseAudit, DatabaseReader, sqlite::SqliteSettings};
use orderflow_simulator::{
    disk::{DiskFaults, SimDisk},
    sqlite::{Content, SimSink, SimSqlite},
};
use orderflow_sinks::Sink;
use orderflow_world::disk::Disk;

use crate::samples::{batch, checkpoint};

/// A small WAL, so that SQLite moves it into the database file every few batches.
fn settings() -> SqliteSettings {
    SqliteSettings { wal_bytes: 16 * 8192, ..SqliteSettings::default() }
}

fn new(seed: u64) -> (SimDisk, SimSqlite) {
    let disk = SimDisk::new(seed);
    disk.set_unsynced_flips(if seed.is_multiple_of(2) { 0.5 } else { 0.0 });
    disk.create_dir(Path::new("/data")).unwrap();
    let database = SimSqlite::new(&disk, Path::new("/data/orders.sqlite"), settings());
    (disk, database)
}

/// Polls a future once; every call completes within its first poll.
fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a call of the sink was not over at once"),
    }
}

fn apply(sink: &mut SimSink, n: u64) -> bool {
    let (batch, checkpoint) = batch(n);
    now(sink.apply(&batch, &checkpoint)).is_ok()
}

/// The content of a database on a disk without faults, after each number of batches up to `batches`.
fn contents(batches: u64) -> Vec<Content> {
    let (_disk, database) = new(0);
    let mut sink = database.open().unwrap();
    let mut contents = vec![database.content().unwrap()];
    for n in 0..batches {
        assert!(apply(&mut sink, n));
        contents.push(database.content().unwrap());
    }
    contents
}

#[test]
fn batches_are_there_and_stay_through_kills_and_power_cuts() {
    let expected = contents(12);
    assert_eq!(expected[12].checkpoint, checkpoint(12));
    assert_eq!(
        (expected[12].orders.len(), expected[12].history.len(), expected[12].stock.len()),
        (10, 48, 1)
    );
    let (disk, database) = new(1);
    for n in 0..12 {
        let mut sink = database.open().unwrap();
        assert!(apply(&mut sink, n));
        if n % 2 == 0 {
            disk.process_crash()
        } else {
            disk.power_cut()
        }
        drop(sink);
        database.wait_until_closed();
        assert_eq!(database.content().unwrap(), expected[n as usize + 1]);
    }
}

/// Applies batches until the power fails after `changes` changes of the disk. Then opens the database again and
/// checks it. Returns whether the power failed.
fn crash_at(seed: u64, changes: u64, faults: &DiskFaults, expected: &[Content], cut: bool) -> bool {
    let (disk, database) = new(seed);
    drop(database.open().unwrap());
    database.wait_until_closed();
    disk.power_cut();
    disk.set_faults(faults.clone());
    disk.crash_after(changes);
    let mut applied = 0;
    if let Ok(mut sink) = database.open() {
        while (applied as usize) < expected.len() - 1 && apply(&mut sink, applied) {
            applied += 1;
        }
    }
    let down = disk.is_down();
    database.wait_until_closed();
    if cut {
        disk.power_cut()
    } else {
        disk.process_crash()
    }
    let content = database.content().unwrap();
    let next = expected.get(applied as usize + 1);
    assert!(content == expected[applied as usize] || Some(&content) == next, "crash after {changes} changes");
    let mut sink = database.open().unwrap();
    assert_eq!(now(sink.checkpoint()).unwrap(), content.checkpoint);
    assert!(apply(&mut sink, applied), "the database goes on");
    down
}

fn crash_everywhere(faults: &DiskFaults, cut: bool, step: usize) -> u64 {
    let expected = contents(10);
    (0..).step_by(step).find(|changes| !crash_at(*changes, *changes, faults, &expected, cut)).unwrap()
}

#[test]
fn a_power_cut_at_any_change_leaves_the_last_batch_or_the_one_under_way() {
    assert!(crash_everywhere(&DiskFaults::default(), true, 1) > 50);
}

#[test]
fn a_kill_at_any_change_leaves_the_last_batch_or_the_one_under_way() {
    assert!(crash_everywhere(&DiskFaults::default(), false, 1) > 50);
}

#[test]
fn lying_syncs_are_found_out() {
    let faults = DiskFaults { syncs_lie: true, ..DiskFaults::default() };
    let found = catch_unwind(AssertUnwindSafe(|| crash_everywhere(&faults, true, 3)));
    assert!(found.is_err(), "batches were lost and nobody noticed");
}

#[test]
fn a_power_cut_while_the_database_is_made_leaves_one_that_opens() {
    for changes in 0.. {
        let (disk, database) = new(changes);
        disk.crash_after(changes);
        let made = database.open().is_ok();
        database.wait_until_closed();
        disk.power_cut();
        let mut sink = database.open().unwrap();
        assert!(apply(&mut sink, 0));
        if made {
            assert!(changes > 10);
            return;
        }
    }
}

/// Applies batches with occasional faults, and repeats each batch until it succeeds. Returns how many calls failed, a
/// digest, and the list of operations.
fn troubled(seed: u64, expected: &[Content]) -> (usize, u64, Vec<String>) {
    let (disk, database) = new(seed);
    disk.keep_history();
    let mut sink = database.open().unwrap();
    disk.set_faults(DiskFaults {
        write_error: 0.02,
        sync_error: 0.05,
        read_error: 0.02,
        name_error: 0.02,
        ..DiskFaults::default()
    });
    let mut failed = 0;
    for n in 0..10 {
        while !apply(&mut sink, n) {
            failed += 1;
            assert_eq!(database.files_open(), 0, "nothing runs on after an error");
        }
    }
    assert_eq!(database.content().unwrap(), expected[10]);
    drop(sink);
    database.wait_until_closed();
    (failed, disk.operations().digest, disk.take_history())
}

#[test]
fn failed_calls_leave_nothing_behind_and_can_be_repeated() {
    let expected = contents(10);
    let failed: usize = (0..20).map(|seed| troubled(seed, &expected).0).sum();
    assert!(failed > 10, "{failed}");
}

#[test]
fn the_same_seed_gives_the_same_operations() {
    let expected = contents(10);
    for seed in 0..5 {
        assert_eq!(troubled(seed, &expected), troubled(seed, &expected));
    }
}

#[test]
fn a_full_disk_is_an_error_until_there_is_room() {
    let (disk, database) = new(1);
    let mut sink = database.open().unwrap();
    disk.set_faults(DiskFaults { full: true, ..DiskFaults::default() });
    // The first batches may fit into the space that the creation of the tables has left in the WAL.
    let refused = (0..100).find(|n| !apply(&mut sink, *n)).unwrap();
    disk.set_faults(DiskFaults::default());
    assert!(apply(&mut sink, refused));
}

#[test]
fn looking_at_the_rows_leaves_no_trace() {
    let run = |look: bool| {
        let (disk, database) = new(5);
        let mut sink = database.open().unwrap();
        for n in 0..5 {
            assert!(apply(&mut sink, n));
            if look {
                database.content().unwrap();
            }
        }
        disk.operations()
    };
    assert_eq!(run(true), run(false));
}

/// Faults, kills and power cuts in any order: acknowledged batches stay. Returns the number of crashes.
fn crash_now_and_then(seed: u64, faults: &DiskFaults, expected: &[Content]) -> usize {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (disk, database) = new(seed);
    drop(database.open().unwrap());
    database.wait_until_closed();
    disk.power_cut();
    let (mut applied, mut crashes) = (0, 0);
    while applied < expected.len() - 1 {
        disk.set_faults(faults.clone());
        if let Ok(mut sink) = database.open() {
            for _ in 0..rng.usize(..8) {
                if applied < expected.len() - 1 && apply(&mut sink, applied as u64) {
                    applied += 1;
                }
            }
        }
        database.wait_until_closed();
        if rng.bool() {
            disk.power_cut()
        } else {
            disk.process_crash()
        }
        disk.set_faults(DiskFaults::default());
        crashes += 1;
        let content = database.content().unwrap();
        let under_way = expected.get(applied + 1) == Some(&content);
        assert!(content == expected[applied] || under_way, "seed {seed}: {applied} batches were applied");
    }
    crashes
}

#[test]
fn acknowledged_batches_survive_failing_writes_and_power_cuts() {
    let expected = contents(20);
    let faults =
        DiskFaults { write_error: 0.02, read_error: 0.02, name_error: 0.02, ..DiskFaults::default() };
    let crashes: usize = (0..40).map(|seed| crash_now_and_then(seed, &faults, &expected)).sum();
    assert!(crashes > 100, "{crashes}");
}

/// A failed sync may have lost what the page cache still shows, and nothing may be written after such data.
#[test]
fn acknowledged_batches_survive_failing_syncs() {
    let expected = contents(20);
    for sync_error in [0.1, 0.3] {
        let faults = DiskFaults { sync_error, ..DiskFaults::default() };
        let crashes: usize = (0..60).map(|seed| crash_now_and_then(seed, &faults, &expected)).sum();
        assert!(crashes > 300, "{crashes}");
    }
}

#[tokio::test]
async fn a_reader_beside_the_sink_sees_whole_batches() {
    let (_disk, database) = new(3);
    let mut sink = database.open().unwrap();
    let reader = database.reader().await.unwrap();
    for n in 0..12 {
        assert_eq!(reader.checkpoint().await.unwrap(), checkpoint(n));
        assert!(apply(&mut sink, n));
    }
    assert_eq!(reader.checkpoint().await.unwrap(), checkpoint(12));
    reader.close().await;
    drop(sink);
    database.wait_until_closed();
}
