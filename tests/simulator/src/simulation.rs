//! A run: one step after the other, each chosen by the seed, with all checks after each step.
//!
//! A step polls a task, runs a thread of the log, advances the time, sends a client's request, or injects a fault.
//! After all steps every fault is removed, and the system must come to rest with nothing lost, nothing twice and
//! nothing oversold.

mod calm;
mod happenings;
mod lives;
mod loss;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use orderflow_schemas::TopicPartition;
use orderflow_topics::{Topics, Visibility};
use orderflow_world::disk::Disk;

use crate::{
    at_once,
    check::{Checked, Checks, Truth},
    clients::Clients,
    database::Database,
    disk::{DiskFaults, Mount, SimDisk},
    executor::{Executor, Spawned, TaskId},
    ingest::Answers,
    plan::{Plan, Rules},
    process::{DATA, Parts, Process, partitions},
    trace::Trace,
    world::SimWorld,
};

/// The counts of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Steps made, including those after all faults were removed.
    pub steps: u64,
    /// Records that became durable.
    pub records: usize,
    /// Orders that were created.
    pub orders: usize,
    /// Requests for an order that were declined.
    pub declined: usize,
    /// Events of shipments.
    pub shipments: usize,
    /// Orders of which units came back.
    pub returned: usize,
    /// Requests that were acknowledged.
    pub acknowledged: usize,
    /// Starts of the process.
    pub starts: u64,
    /// Power cuts.
    pub power_cuts: u64,
    /// Failures of a part because of an injected fault.
    pub failures: u64,
}

/// The run of one seed.
pub struct Simulation {
    rng: fastrand::Rng,
    plan: Plan,
    rules: Rules,
    version: usize,
    upgrade: bool,
    partitions: Vec<TopicPartition>,
    disk: SimDisk,
    mount: Mount,
    world: SimWorld,
    executor: Executor,
    database: Database,
    process: Option<Process>,
    clients: Clients,
    answers: Answers,
    truth: Arc<Mutex<Truth>>,
    checks: Checks,
    trace: Trace,
    counts: Counts,
    /// Whether the disk has failed, or may have failed, since the process started.
    troubled: bool,
    /// The bit that is flipped now: file, byte and bit.
    flipped: Option<(PathBuf, usize, u8)>,
    /// How far the last segment of the log was durable at an earlier moment.
    written: Option<(PathBuf, usize)>,
    /// Snapshots that were damaged and still exist.
    damaged: Vec<PathBuf>,
    shift_s: i64,
    /// Whether all faults are removed and clients send no more requests.
    calm: bool,
    applied: u64,
}

impl Simulation {
    /// The run of a seed, before its first step. A loud run prints every step.
    pub fn new(seed: u64, loud: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let plan = Plan::draw(&mut rng);
        let rules = Rules::version(&plan, 0);
        let partitions = partitions(&plan);
        let (spawned, disk) = (Spawned::default(), SimDisk::new(rng.u64(..)));
        disk.create_dir(Path::new(DATA)).expect("the disk has no faults yet");
        disk.set_unsynced_flips(plan.unsynced_flips);
        let world = SimWorld::new(rng.u64(..), spawned.clone());
        let clients = Clients::new(rng.u64(..), &plan, rules.statuses());
        let mut trace = Trace::new(loud);
        trace.note(&format!("seed {seed}: {plan:?}"));
        if loud {
            disk.keep_history();
        }
        Self {
            mount: disk.mount(),
            database: Database::new(&disk, &world, plan.slow_sink, rng.u64(..)),
            checks: Checks::new(&plan, &rules, &partitions),
            executor: Executor::new(spawned),
            rng,
            plan,
            rules,
            version: 0,
            upgrade: false,
            partitions,
            disk,
            world,
            process: None,
            clients,
            answers: Answers::default(),
            truth: Arc::default(),
            trace,
            counts: Counts::default(),
            troubled: false,
            flipped: None,
            written: None,
            damaged: Vec::new(),
            shift_s: 0,
            calm: false,
            applied: 0,
        }
    }

    /// Makes `steps` steps, then removes all faults and waits for rest.
    pub fn run(&mut self, steps: u64) -> Checked {
        for _ in 0..steps {
            self.step()?;
        }
        self.come_to_rest()?;
        if self.rng.u8(..3) == 0 { self.lose_a_record() } else { Ok(()) }
    }

    /// The last events of the run.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// A digest of all events, of the operations on the disk, and of all durable records.
    pub fn digest(&mut self) -> u64 {
        self.trace.digest(&self.disk.operations().digest.to_le_bytes());
        let truth = lock(&self.truth);
        self.partitions.iter().flat_map(|at| truth.of(*at)).for_each(|record| self.trace.digest(record));
        self.trace.value()
    }

    /// The counts so far.
    pub fn counts(&self) -> Counts {
        let truth = lock(&self.truth);
        Counts {
            records: truth.len(),
            orders: self.checks.orders.iter().count(),
            declined: self.checks.orders.declined_len(),
            shipments: self.checks.orders.shipments_len(),
            returned: self.checks.orders.iter().filter(|order| !order.returned.is_empty()).count(),
            acknowledged: self.clients.acknowledged().len(),
            ..self.counts
        }
    }

    fn step(&mut self) -> Checked {
        self.counts.steps += 1;
        let ready = self.executor.ready();
        if !ready.is_empty() && self.rng.u32(..=self.plan.pace) > 0 {
            self.poll(&ready);
        } else {
            self.happen()?;
        }
        self.settle()
    }

    fn poll(&mut self, ready: &[TaskId]) {
        let id = ready[self.rng.usize(..ready.len())];
        if let Some(group) = self.executor.poll(id) {
            self.note(format!("task {id} of {group:?} goes on"));
        }
    }

    /// Ends each step: failed parts end the process, and all new data is checked.
    fn settle(&mut self) -> Checked {
        for line in self.disk.take_history() {
            self.trace.detail(&line);
        }
        if self.disk.is_down() {
            self.note("the power is gone in the middle of it".into());
            self.lose_power();
        }
        self.end_failed()?;
        self.observe()?;
        self.check_store_if_new()
    }

    /// Checks what is durable now, with all faults of the disk off meanwhile.
    fn observe(&mut self) -> Checked {
        let Some(process) = &self.process else { return Ok(()) };
        if let Some(violation) = process.wire.violation() {
            return Err(violation);
        }
        let log = process.log.clone();
        if self.ends_moved(&*log) {
            let faults = self.disk.faults();
            self.disk.set_faults(DiskFaults::default());
            let observed = {
                let mut truth = lock(&self.truth);
                truth.observe(&*log, &self.partitions)
            };
            self.disk.set_faults(faults);
            if self.flipped.is_none() {
                observed?;
            }
            let truth = lock(&self.truth);
            self.checks.check(&truth)?;
            let length = truth.len() as u64;
            self.trace.digest(&length.to_le_bytes());
        }
        let answers = self.answers.take();
        let truth = lock(&self.truth);
        self.clients.take(answers, &truth)
    }

    fn ends_moved(&self, log: &dyn Topics) -> bool {
        let truth = lock(&self.truth);
        self.partitions.iter().any(|at| {
            let bounds = at_once(log.bounds(*at, Visibility::Durable));
            bounds.is_ok_and(|bounds| bounds.end.0 != truth.of(*at).len() as u64)
        })
    }

    /// Checks the rows of the store after some of the applied batches.
    fn check_store_if_new(&mut self) -> Checked {
        let applied = self.database.applied();
        if applied == self.applied {
            return Ok(());
        }
        self.applied = applied;
        if self.rng.u8(..4) == 0 { self.check_store() } else { Ok(()) }
    }

    fn check_store(&mut self) -> Checked {
        let rows = self.database.content()?;
        let truth = lock(&self.truth);
        self.checks.check_store(&rows, &truth)
    }

    fn note(&mut self, what: String) {
        self.trace.note(&format!("{:>6} {what}", self.counts.steps));
    }

    /// What starting a part of the process needs, and the process.
    fn parts(&mut self) -> (Parts<'_>, Option<&mut Process>) {
        let parts = Parts {
            plan: &self.plan,
            rules: &self.rules,
            mount: &self.mount,
            world: &self.world,
            executor: &mut self.executor,
        };
        (parts, self.process.as_mut())
    }
}

fn lock(truth: &Mutex<Truth>) -> MutexGuard<'_, Truth> {
    truth.lock().unwrap_or_else(PoisonError::into_inner)
}
