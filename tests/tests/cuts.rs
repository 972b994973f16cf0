//! A log that ends in the middle: everything acknowledged before the cut is kept, and nothing else is lost.
//!
//! The last segment is cut at every byte of its last frames, once as a file that ends there, and once as a file that
//! is zero from there on. The test reads the expected records from the headers of the frames, not through the log.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use orderflow_tests::{Answer, Server, Stage, change, order, path_of, supply};
use orderflow_topics::{EmbeddedLog, Visibility, conformance, embedded};
use serde_json::{Value, json};

const SEGMENT_BYTES: u64 = 1 << 20;
/// How many of the last frames are cut.
const FRAMES_CUT: usize = 6;

/// The end of each partition, by the numbers of topic and partition.
type Ends = BTreeMap<(u16, u16), u64>;

/// A frame, as its header describes it.
#[derive(Debug)]
struct Frame {
    start: u64,
    /// The position at which the frame is complete; the bytes up to the next frame are zero.
    whole: u64,
    /// The ends of the partitions after the frame's records, for the partitions in it.
    ends: Ends,
}

fn number(bytes: &[u8], at: usize, length: usize) -> u64 {
    bytes[at..at + length].iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The frames of a segment, up to its unwritten part.
fn frames(segment: &[u8]) -> Vec<Frame> {
    let (mut frames, mut at) = (Vec::new(), 0);
    while segment[at..].starts_with(b"OFL1") {
        let (length, kind) = (number(segment, at + 8, 4) as usize, number(segment, at + 12, 4));
        let (mut section, end) = (at + 40, at + 40 + length);
        let mut ends = Ends::new();
        while kind == 1 && section < end {
            let partition = (number(segment, section, 2) as u16, number(segment, section + 2, 2) as u16);
            ends.insert(partition, number(segment, section + 4, 8) + number(segment, section + 12, 4));
            section += 20 + number(segment, section + 16, 4) as usize;
        }
        frames.push(Frame { start: at as u64, whole: end as u64, ends });
        at = end.next_multiple_of(8);
    }
    frames
}

/// The ends of all partitions if only the bytes before the cut are left.
fn left(frames: &[Frame], cut: u64) -> Ends {
    let whole = frames.iter().filter(|frame| frame.whole <= cut);
    whole.flat_map(|frame| frame.ends.clone()).collect()
}

/// The only segment of a data directory that has records.
fn segment(data: &Path) -> PathBuf {
    data.join("log").join(format!("{:020}.log", 0))
}

fn written(stage: &Stage) -> u64 {
    frames(&fs::read(segment(stage.data())).unwrap()).last().expect("a log has frames").whole
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Cuts a file that contained the bytes `whole`: it ends at `at`, or is zero from there on.
fn cut(file: &File, whole: &[u8], at: u64, shorter: bool) {
    let keep = usize::try_from(at).unwrap();
    file.set_len(at).unwrap();
    file.write_all_at(&whole[keep.saturating_sub(1 << 15)..keep], at.saturating_sub(1 << 15)).unwrap();
    if !shorter {
        file.set_len(whole.len() as u64).unwrap();
    }
}

/// Places a few orders. Returns the responses, each with the position up to which the log was written when it
/// arrived.
fn orders(server: &Server, stage: &Stage, keys: &[&str]) -> Vec<(Answer, u64)> {
    let place = |key: &&str| {
        let ann = server.customer("ann").with("idempotency-key", key);
        let answer = ann.post("/orders", &order(&[("tea", 1)])).is(201);
        (answer, written(stage))
    };
    keys.iter().map(place).collect()
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_frames_has_all_frames_in_front_of_the_cut() {
    let stage = Stage::new().with("segment_bytes", SEGMENT_BYTES);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    orders(&server, &stage, &["a", "b", "c"]);
    server.kill();
    let log = stage.data().join("log");
    let whole = fs::read(segment(stage.data())).unwrap();
    let frames = frames(&whole);
    let all = read(&log);
    let (first, last) = (&frames[frames.len() - FRAMES_CUT], &frames[frames.len() - 1]);
    let (directory, names) = (stage.folder.path().join("cut"), ["topics.json", "00000000000000000000.log"]);
    copy(&log, &directory);
    clean(&directory, &names);
    let file = OpenOptions::new().read(true).write(true).open(directory.join(names[1])).unwrap();
    for at in first.start..=last.whole {
        let whole_here = frames.iter().any(|frame| frame.whole == at);
        for shorter in [true, false] {
            cut(&file, &whole, at, shorter);
            assert_eq!(ends(&directory, false), left(&frames, at), "cut at {at}, shorter: {shorter}");
            // A repair includes a sync, which takes time, so it is not tried at every byte.
            if whole_here || at % 64 == 0 {
                assert_eq!(ends(&directory, true), left(&frames, at), "repaired at {at}, shorter: {shorter}");
                clean(&directory, &names);
            }
        }
        if whole_here {
            cut(&file, &whole, at, true);
            for (partition, records) in read(&directory) {
                let end = left(&frames, at).get(&partition).copied().unwrap_or_default();
                assert_eq!(records, all[&partition][..usize::try_from(end).unwrap()], "cut at {at}");
            }
        }
    }
}

/// Opens a log, with repair or read-only, and returns the ends of its partitions.
#[track_caller]
fn ends(log: &Path, repair: bool) -> Ends {
    let opened = match repair {
        true => EmbeddedLog::open(log, settings()),
        false => EmbeddedLog::open_read_only(log, settings()),
    };
    let (_, report) = opened.unwrap();
    let ends = report.partitions.iter().map(|(at, stored)| ((at.topic.id(), at.partition.0), stored.end.0));
    ends.filter(|(_, end)| *end > 0).collect()
}

/// Removes all files except these.
fn clean(directory: &Path, keep: &[&str]) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        if !keep.iter().any(|name| *name == entry.file_name()) {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

fn settings() -> embedded::LogSettings {
    embedded::LogSettings { segment_bytes: SEGMENT_BYTES, ..embedded::LogSettings::default() }
}

/// All records of a log that nobody writes to.
fn read(log: &Path) -> BTreeMap<(u16, u16), Vec<Vec<u8>>> {
    let (log, report) = EmbeddedLog::open_read_only(log, settings()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let records = |at| runtime.block_on(conformance::read_all(&log, at, Visibility::Durable));
    let plain = |at| records(at).iter().map(|record| record.to_vec()).collect();
    report.partitions.keys().map(|at| ((at.topic.id(), at.partition.0), plain(*at))).collect()
}

/// A stage after a crash that left the log up to byte `at`. The database and the snapshots are those from before.
fn crashed_at(stage: &Stage, before: &Path, at: u64, shorter: bool) -> Stage {
    let data = stage.folder.path().join(format!("cut-{at}"));
    copy(before, &data);
    fs::remove_dir_all(data.join("log")).unwrap();
    fs::create_dir(data.join("log")).unwrap();
    fs::copy(stage.data().join("log/topics.json"), data.join("log/topics.json")).unwrap();
    fs::copy(segment(stage.data()), segment(&data)).unwrap();
    let whole = fs::read(segment(&data)).unwrap();
    cut(&OpenOptions::new().write(true).open(segment(&data)).unwrap(), &whole, at, shorter);
    Stage::new().with("segment_bytes", SEGMENT_BYTES).on(data)
}

#[test]
fn a_server_on_a_cut_log_shows_everything_that_was_acknowledged_in_front_of_the_cut() {
    let stage = Stage::new().with("segment_bytes", SEGMENT_BYTES);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let mut told = orders(&server, &stage, &["a", "b"]);
    server.stop();
    let before = stage.folder.path().join("before");
    copy(stage.data(), &before);
    let from = written(&stage);
    let server = stage.serve();
    told.extend(orders(&server, &stage, &["c", "d"]));
    let canceled = change(&server.customer("ann"), &path_of(&told[1].0), "CANCELED").is(200);
    let canceled = (canceled, written(&stage));
    let received = server.admin().post("/inventory/tea/receipts", &json!({ "quantity": 5 })).is(200);
    let received = (received, written(&stage));
    told.extend(orders(&server, &stage, &["e"]));
    server.kill();

    let mut random = fastrand::Rng::with_seed(7);
    let mut cuts: Vec<_> = (0..6).map(|_| random.u64(from..=written(&stage))).collect();
    cuts.extend([canceled.1, received.1, told[2].1, told[4].1]);
    cuts.sort_unstable();
    cuts.dedup();
    for (n, at) in cuts.into_iter().enumerate() {
        eprintln!("cut at {at}");
        let crashed = crashed_at(&stage, &before, at, n % 2 == 0);
        crashed.verify_clean();
        let server = crashed.serve();
        for (answer, _) in told.iter().filter(|(_, end)| *end <= at) {
            is_as_told(&server, answer, Some(&canceled).filter(|(_, end)| *end <= at));
        }
        let stock: Value = server.admin().get("/inventory/tea").is(200).json();
        let come = if received.1 <= at { 15 } else { 10 };
        assert!(stock["received"].as_u64() >= Some(come), "{stock}");
        server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
        server.stop();
        crashed.verify_clean();
    }
}

/// The order equals the answer to its placing or, if there was one, to its cancellation.
#[track_caller]
fn is_as_told(server: &Server, placed: &Answer, canceled: Option<&(Answer, u64)>) {
    let shown = server.admin().after(placed).get(&path_of(placed)).is(200).json();
    match canceled.filter(|(canceled, _)| path_of(canceled) == path_of(placed)) {
        Some((canceled, _)) => {
            let shown = server.admin().after(canceled).get(&path_of(placed)).is(200).json();
            assert_eq!(shown, canceled.json());
        }
        // A cancellation in progress may have been kept or not.
        None if shown["status"] == "CANCELED" => assert_eq!(shown["version"], 3),
        None => assert_eq!(shown, placed.json()),
    }
}
