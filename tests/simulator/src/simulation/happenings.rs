//! The events of a step that are not the work of a task.

use std::{path::PathBuf, time::Duration};

use orderflow_world::World;

use super::Simulation;
use crate::{
    check::Checked,
    disk::DiskFaults,
    executor::Group,
    process::{DATA, inputs},
};

/// The longest time that a step advances.
const STEP_MAX: Duration = Duration::from_secs(60);
/// The largest shift of the wall clock, in both directions. It is short enough that readers drop no source because of
/// it, and that keys live longer.
const SHIFT_S_MAX: i64 = 4 * 3600;

impl Simulation {
    /// Runs one event, chosen by the weights of the plan.
    pub(super) fn happen(&mut self) -> Checked {
        let w = self.plan.weights;
        type Happening = fn(&mut Simulation) -> Checked;
        let choices: [(u32, Happening); 16] = [
            (w.ask, Self::ask),
            (w.time, Self::let_time_go_on),
            (w.log, Self::step_log),
            (w.late, Self::deliver_late),
            (w.kill, Self::kill_process),
            (w.power, Self::cut_power),
            (w.stop, Self::stop_process),
            (w.disk, Self::trouble_disk),
            (w.jump, Self::jump),
            (w.runner, Self::replace_runner),
            (w.second_runner, Self::add_runner),
            (w.sink, Self::restart_sink),
            (w.upgrade, Self::prepare_upgrade),
            (w.snapshot, Self::damage_snapshot),
            (w.flip, Self::flip),
            (w.retain, Self::retain),
        ];
        if self.process.is_none() && self.rng.u8(..4) > 0 {
            return self.start();
        }
        let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
        let mut chosen = self.rng.u32(..total);
        for (weight, happening) in choices {
            if chosen < weight {
                return happening(self);
            }
            chosen -= weight;
        }
        Ok(())
    }

    fn ask(&mut self) -> Checked {
        let Some(process) = self.process.as_ref().filter(|process| !process.is_stopping()) else {
            return Ok(());
        };
        let (request, at, command) = self.clients.ask(&self.checks.orders);
        let (kind, waits) = (command.kind(), request.is_multiple_of(2));
        process.ask(&mut self.executor, at, (request, command), waits, &self.answers);
        self.note(format!("request {request}: {kind} to {at}"));
        Ok(())
    }

    /// Advances the time to the next deadline, or by a short time.
    pub(super) fn let_time_go_on(&mut self) -> Checked {
        let now = self.world.instant();
        let wanted = self.world.next_deadline().unwrap_or(now);
        let nap = Duration::from_millis(self.rng.u64(1..200));
        let then = if self.rng.bool() { wanted.min(now + STEP_MAX) } else { now + nap };
        self.world.advance_to(then);
        Ok(())
    }

    /// Makes a step of the writer or the allocator, and continues a stop in order.
    pub(super) fn step_log(&mut self) -> Checked {
        let now_ms = self.world.now_ms();
        let Some(process) = &mut self.process else { return Ok(()) };
        let did = if self.rng.u8(..3) == 0 {
            process.steps.allocator.step()
        } else {
            process.steps.writer.step(now_ms)
        };
        self.note(format!("the log: {did:?}"));
        self.finish_stop();
        Ok(())
    }

    fn deliver_late(&mut self) -> Checked {
        let Some(process) = &self.process else { return Ok(()) };
        if let Some(batches) = process.wire.take_late() {
            let wire = process.wire.clone();
            self.executor.spawn(Group::Ingest, Box::pin(async move { wire.deliver(batches).await }));
            self.note("an append arrives late".into());
        }
        Ok(())
    }

    fn kill_process(&mut self) -> Checked {
        if self.process.is_some() {
            self.note("the process is killed".into());
            self.kill();
        }
        Ok(())
    }

    fn cut_power(&mut self) -> Checked {
        if self.rng.bool() {
            self.note("the power goes".into());
            self.lose_power();
        } else {
            let changes = self.rng.u64(..60);
            self.note(format!("the power will go after {changes} changes of the disk"));
            self.disk.crash_after(changes);
        }
        Ok(())
    }

    fn stop_process(&mut self) -> Checked {
        if let Some(process) = &self.process {
            process.stop();
            self.note("the process is asked to stop".into());
        }
        Ok(())
    }

    fn trouble_disk(&mut self) -> Checked {
        let well = self.disk.faults() == DiskFaults::default();
        self.troubled |= well;
        self.disk.set_faults(if well { self.plan.disk.clone() } else { DiskFaults::default() });
        self.note(format!("the disk {}", if well { "begins to fail" } else { "is well again" }));
        Ok(())
    }

    fn jump(&mut self) -> Checked {
        let shift = self.rng.i64(-SHIFT_S_MAX..=SHIFT_S_MAX);
        self.world.jump(shift - self.shift_s);
        self.note(format!("the wall clock jumps by {} s", shift - self.shift_s));
        self.shift_s = shift;
        Ok(())
    }

    fn replace_runner(&mut self) -> Checked {
        let chosen = self.rng.usize(..);
        let (mut parts, process) = self.parts();
        let replaced = process
            .filter(|process| !process.is_stopping())
            .and_then(|process| process.replace_runner(&mut parts, chosen));
        if let Some(at) = replaced {
            self.note(format!("a runner of {at} crashes, another takes over"));
        }
        Ok(())
    }

    fn add_runner(&mut self) -> Checked {
        let at = self.partitions[self.rng.usize(..self.partitions.len())];
        let is_input = inputs(&self.plan).any(|input| input == at);
        let (mut parts, process) = self.parts();
        if let Some(process) = process.filter(|process| is_input && !process.is_stopping()) {
            process.start_runner(&mut parts, at);
            self.note(format!("one more runner of {at}"));
        }
        Ok(())
    }

    fn restart_sink(&mut self) -> Checked {
        if self.process.as_ref().is_none_or(super::Process::is_stopping) {
            return Ok(());
        }
        self.executor.crash(Group::Sink);
        self.database.close();
        self.note("the sink crashes and starts again".into());
        match self.database.open() {
            Ok(sink) => {
                let (mut parts, process) = self.parts();
                if let Some(process) = process {
                    process.start_sink(&mut parts, sink);
                }
            }
            // The process cannot continue without its sink.
            Err(error) => {
                self.note(format!("the database cannot be opened: {error}"));
                if !self.troubled && !self.disk.is_down() {
                    return crate::check::broken(error.to_string());
                }
                self.kill();
            }
        }
        Ok(())
    }

    fn prepare_upgrade(&mut self) -> Checked {
        self.upgrade = true;
        Ok(())
    }

    /// Damages the newest snapshot of a partition, unless it is the only undamaged one: the log may no longer have
    /// the records that this snapshot covers.
    fn damage_snapshot(&mut self) -> Checked {
        let mut snapshots: Vec<PathBuf> = self.disk.files().into_iter().map(|(path, _)| path).collect();
        snapshots.retain(|path| path.extension().is_some_and(|extension| extension == "snap"));
        let Some(chosen) = (!snapshots.is_empty()).then(|| self.rng.usize(..snapshots.len())) else {
            return Ok(());
        };
        let folder = snapshots[chosen].parent().map(PathBuf::from);
        let of_folder: Vec<&PathBuf> =
            snapshots.iter().filter(|path| path.parent() == folder.as_deref()).collect();
        let [.., _, newest] = of_folder[..] else { return Ok(()) };
        let newest = newest.clone();
        self.damaged.retain(|path| snapshots.contains(path));
        if self.damaged.iter().any(|path| path.parent() == folder.as_deref()) {
            return Ok(());
        }
        self.damaged.push(newest.clone());
        // The log may remove everything that the snapshot before does not need.
        self.retain()?;
        let length = self.disk.read(&newest).map_or(0, |bytes| bytes.len());
        let byte = self.rng.usize(..length.max(1));
        self.disk.flip_bit(&newest, byte, self.rng.u8(..8));
        self.note(format!("byte {byte} of {} is damaged", newest.display()));
        if self.rng.bool() {
            self.kill();
        }
        Ok(())
    }

    /// Flips one bit at a time, in a file that no later write changes.
    fn flip(&mut self) -> Checked {
        if let Some((path, byte, bit)) = self.flipped.take() {
            self.disk.flip_bit(&path, byte, bit);
            self.note("the bit is as it was".into());
            // A part that has read the flipped bit may have acted on it.
            self.kill();
            return Ok(());
        }
        let mut places: Vec<(PathBuf, usize)> = self.sealed_segments();
        places.extend(self.vouched_part());
        if places.is_empty() {
            return Ok(());
        }
        let (path, length) = places[self.rng.usize(..places.len())].clone();
        let (byte, bit) = (self.rng.usize(..length.max(1)), self.rng.u8(..8));
        if self.disk.flip_bit(&path, byte, bit) {
            self.note(format!("bit {bit} of byte {byte} of {} is turned over", path.display()));
            self.flipped = Some((path, byte, bit));
        }
        Ok(())
    }

    /// The segments with a durable first frame, in order.
    fn begun_segments(&self) -> Vec<PathBuf> {
        let mut files: Vec<PathBuf> = self.disk.files().into_iter().map(|(path, _)| path).collect();
        files.retain(|path| path.starts_with(PathBuf::from(DATA).join("log")));
        files.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
        let begun = |path: &PathBuf| {
            self.disk.read_durable(path).is_some_and(|bytes| bytes.iter().take(8).any(|byte| *byte != 0))
        };
        let count = files.iter().take_while(|path| begun(path)).count();
        files.truncate(count);
        files
    }

    /// The segments that are followed by one with a durable first frame, which vouches for them; with their lengths.
    fn sealed_segments(&self) -> Vec<(PathBuf, usize)> {
        let mut files = self.begun_segments();
        files.pop();
        let length = |path: &PathBuf| self.disk.read(path).map_or(0, |bytes| bytes.len());
        files.into_iter().map(|path| (path.clone(), length(&path))).collect()
    }

    /// The part of the last segment that was durable at the last call, with its length, if more is durable now: the
    /// later bytes vouch for it. Only for an open log, because a crash leaves bytes that nothing vouches for, and
    /// recovery removes them.
    fn vouched_part(&mut self) -> Option<(PathBuf, usize)> {
        self.process.as_ref()?;
        let path = self.begun_segments().pop()?;
        let bytes = self.disk.read_durable(&path)?;
        let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let before = self.written.replace((path.clone(), end));
        before.filter(|(of, before)| *of == path && *before < end)
    }

    fn retain(&mut self) -> Checked {
        self.vouched_part();
        let Some(process) = &self.process else { return Ok(()) };
        if let Ok(removed) = process.log.retain(self.world.now_ms()) {
            self.note(format!("retention: {removed:?}"));
        }
        Ok(())
    }
}
