//! The real log on the simulated disk: random appends and steps, faults, power cuts and kills, and failing starts.

use std::{
    path::Path,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use fastrand::Rng;
use orderflow_schemas::{Topic, TopicPartition};
use orderflow_simulator::disk::{DiskFaults, Operations, SimDisk};
use orderflow_topics::{
    Batch, EmbeddedLog, Topics, Visibility, conformance,
    embedded::{LogSettings, StepOutcome, Steps},
};

const AT: TopicPartition = TopicPartition::new(Topic::OrdersCommands, 0);

/// The log under test, and the records that it should contain.
struct Run {
    disk: SimDisk,
    rng: Rng,
    log: EmbeddedLog,
    steps: Steps,
    accepted: Vec<Bytes>,
    appended: u32,
    /// The number of starts that failed because of the disk.
    refused: usize,
}

fn settings() -> LogSettings {
    let new_id = Some("simulated".parse().unwrap());
    LogSettings {
        segment_bytes: 4096,
        cache_bytes_max: 500,
        pending_bytes_max: 3000,
        new_id,
        ..LogSettings::default()
    }
}

/// Polls a future once; `None` if it is not ready.
fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

impl Run {
    fn new(seed: u64, faults: &DiskFaults) -> Self {
        let disk = SimDisk::new(seed);
        disk.set_unsynced_flips(if seed.is_multiple_of(2) { 0.5 } else { 0.0 });
        let (log, steps, _) = EmbeddedLog::open_stepped(Arc::new(disk.mount()), "/log", settings()).unwrap();
        poll_once(log.create(AT.topic, 1)).unwrap().unwrap();
        disk.set_faults(faults.clone());
        let rng = Rng::with_seed(seed);
        Self { disk, rng, log, steps, accepted: Vec::new(), appended: 0, refused: 0 }
    }

    fn act(&mut self) {
        match self.rng.usize(..100) {
            0..50 => self.append(),
            50..74 => drop(self.steps.writer.step(1)),
            74..90 => drop(self.steps.allocator.step()),
            90..91 => {
                while self.steps.allocator.step() == StepOutcome::Work
                    || self.steps.writer.step(1) == StepOutcome::Work
                {}
            }
            91..95 => self.crash(SimDisk::process_crash),
            95..97 => self.crash(SimDisk::power_cut),
            _ => {
                self.disk.crash_after(self.rng.u64(..20));
                for _ in 0..20 {
                    self.append();
                    self.steps.allocator.step();
                    self.steps.writer.step(1);
                }
                self.crash(SimDisk::power_cut);
            }
        }
    }

    fn append(&mut self) {
        let count = self.rng.u32(1..4);
        let size = self.rng.usize(10..300);
        let records: Vec<_> = (self.appended..self.appended + count)
            .map(|n| Bytes::from([&n.to_le_bytes()[..], &vec![n as u8; size]].concat()))
            .collect();
        self.appended += count;
        let appended =
            poll_once(self.log.append(vec![Batch { topic_partition: AT, records: records.clone() }]));
        if let Some(Ok(_)) = appended {
            self.accepted.extend(records);
        }
    }

    fn end(&self, visibility: Visibility) -> usize {
        let bounds = poll_once(self.log.bounds(AT, visibility)).unwrap().unwrap();
        usize::try_from(bounds.end.0).unwrap()
    }

    /// Opens the log again after a crash, and checks that it contains a prefix with everything that was durable.
    fn crash(&mut self, crash: fn(&SimDisk)) {
        let durable = self.end(Visibility::Durable);
        crash(&self.disk);
        (self.log, self.steps) = self.reopen(crash);
        let kept = self.end(Visibility::Durable);
        assert!(kept >= durable, "{durable} were durable, {kept} are left");
        assert!(kept <= self.accepted.len());
        self.accepted.truncate(kept);
        self.check(kept);
    }

    fn reopen(&mut self, crash: fn(&SimDisk)) -> (EmbeddedLog, Steps) {
        let faults = self.disk.faults();
        loop {
            match EmbeddedLog::open_stepped(Arc::new(self.disk.mount()), "/log", settings()) {
                Ok((log, steps, _)) => {
                    self.disk.set_faults(faults);
                    return (log, steps);
                }
                Err(error) => {
                    assert!(self.disk.faults() != DiskFaults::default(), "{error}");
                    self.refused += 1;
                    crash(&self.disk);
                    // The disk works at the next attempt.
                    self.disk.set_faults(DiskFaults::default());
                }
            }
        }
    }

    /// Checks the records that a reader of the same disk finds without faults.
    fn check(&self, kept: usize) {
        let fork = self.disk.fork();
        let (log, _) =
            EmbeddedLog::open_read_only_on(Arc::new(fork.mount()), Path::new("/log"), settings()).unwrap();
        let records = poll_once(conformance::read_all(&log, AT, Visibility::Durable)).unwrap();
        assert_eq!(records, self.accepted[..kept]);
    }
}

fn run(seed: u64, faults: &DiskFaults) -> (Operations, usize, usize) {
    let mut run = Run::new(seed, faults);
    for _ in 0..200 {
        run.act();
    }
    run.crash(SimDisk::power_cut);
    (run.disk.operations(), run.accepted.len(), run.refused)
}

#[test]
fn acknowledged_records_survive_power_cuts_and_accepted_ones_are_a_prefix() {
    let kept: usize = (0..150).map(|seed| run(seed, &DiskFaults::default()).1).sum();
    assert!(kept > 10_000, "{kept}");
}

#[test]
fn acknowledged_records_survive_a_disk_that_fails_now_and_then() {
    let faults = DiskFaults {
        write_error: 0.01,
        sync_error: 0.02,
        read_error: 0.01,
        name_error: 0.02,
        ..DiskFaults::default()
    };
    let refused: usize = (0..150).map(|seed| run(seed, &faults).2).sum();
    assert!(refused > 0);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let faults = DiskFaults { write_error: 0.01, sync_error: 0.02, ..DiskFaults::default() };
    for seed in 0..10 {
        assert_eq!(run(seed, &faults), run(seed, &faults));
    }
}

#[test]
fn a_disk_that_lies_is_found_out() {
    let faults = DiskFaults { syncs_lie: true, ..DiskFaults::default() };
    let caught = std::panic::catch_unwind(|| {
        for seed in 0..20 {
            run(seed, &faults);
        }
    });
    assert!(caught.is_err(), "acknowledged records were lost and nobody noticed");
}
