//! The starts, failures and ends of the process.

use orderflow_runner::{
    processing::{RecoveryError, RunnerError},
    sink_driver::SinkDriverError,
};
use orderflow_sinks::SinkError;
use orderflow_topics::{
    AppendError, AppendRejection, LogError,
    embedded::{OpenError, StepOutcome},
};

use super::{Simulation, lock};
use crate::{
    at_once_or_never,
    check::{Checked, broken},
    disk::DiskFaults,
    executor::Group,
    process::{self, Failure, Process},
};

impl Simulation {
    /// Starts the process, if the disk permits.
    pub(super) fn start(&mut self) -> Checked {
        self.troubled = self.disk.faults() != DiskFaults::default();
        self.mount = self.disk.mount();
        let bounded = !self.calm;
        let opened = process::open(&self.parts().0, bounded);
        let (log, steps) = match opened {
            Ok(opened) => opened,
            Err(error) => return self.failed_to_start(&error),
        };
        if let Err(why) = process::create_topics(&log, &self.plan) {
            self.note(format!("the topics cannot be made: {why}"));
            return if self.is_troubled() { Ok(()) } else { broken(why) };
        }
        // Recovery may have cut the last segment.
        self.written = None;
        self.compare_with_truth(&log)?;
        let sink = match self.database.open() {
            Ok(sink) => sink,
            Err(error) => {
                self.note(format!("the database cannot be opened: {error}"));
                return if self.is_troubled() { Ok(()) } else { broken(error.to_string()) };
            }
        };
        let (seed, truth) = (self.rng.u64(..), self.truth.clone());
        let (mut parts, _) = self.parts();
        let process = Process::start(parts, (log, steps), &truth, seed);
        if self.calm {
            process.wire.heal();
        }
        (parts, _) = self.parts();
        process.start_sink(&mut parts, sink);
        self.process = Some(process);
        self.counts.starts += 1;
        self.note(format!("the process starts, with rules {}", self.version));
        self.observe()?;
        self.check_store()
    }

    /// Whether a fault of the disk may be the cause.
    fn is_troubled(&self) -> bool {
        self.troubled || self.disk.is_down()
    }

    fn failed_to_start(&mut self, error: &OpenError) -> Checked {
        self.note(format!("the log cannot be opened: {error}"));
        let excused = match error {
            OpenError::Damaged { .. } => self.flipped.is_some(),
            OpenError::Io { .. } => self.is_troubled(),
            _ => false,
        };
        if excused { Ok(()) } else { broken(format!("the log cannot be opened: {error}")) }
    }

    /// Checks that everything that was durable is unchanged; then new rules may begin.
    fn compare_with_truth(&mut self, log: &orderflow_topics::EmbeddedLog) -> Checked {
        let faults = self.disk.faults();
        self.disk.set_faults(DiskFaults::default());
        let checked = {
            let mut truth = lock(&self.truth);
            truth.compare(log, &self.partitions).and_then(|()| truth.observe(log, &self.partitions))
        };
        self.disk.set_faults(faults);
        if self.flipped.is_none() {
            checked?;
        }
        let truth = lock(&self.truth);
        self.checks.check(&truth)?;
        // If batches are not written together, there may be messages without the events that vouch for them.
        if std::mem::take(&mut self.upgrade) && !self.plan.wire.one_by_one && self.flipped.is_none() {
            self.version += 1;
            self.rules = crate::plan::Rules::version(&self.plan, self.version);
            self.checks.upgrade(&self.plan, &self.rules);
        }
        Ok(())
    }

    /// Ends the process if a part of it has failed. A failure that no fault explains is a broken promise.
    pub(super) fn end_failed(&mut self) -> Checked {
        let Some(process) = &self.process else { return Ok(()) };
        let log_failed = at_once_or_never(process.log.failed());
        let failure = process.failure();
        if log_failed.is_none() && failure.is_none() {
            return Ok(());
        }
        if let Some(why) = &log_failed {
            self.note(format!("the log failed: {why}"));
            if !self.troubled {
                return broken(format!("the log failed: {why}"));
            }
        }
        if let Some(failure) = failure {
            self.note(format!("a part failed: {failure}"));
            if log_failed.is_none() && !self.is_excused(&failure) {
                return broken(failure.to_string());
            }
        }
        self.counts.failures += 1;
        self.kill();
        Ok(())
    }

    fn is_excused(&self, failure: &Failure) -> bool {
        match failure {
            Failure::Runner(
                RunnerError::Recovery(_, RecoveryError::Read(error)) | RunnerError::Read(error),
            ) => self.excuses_read(error),
            Failure::Runner(
                RunnerError::Recovery(_, RecoveryError::Snapshot(_)) | RunnerError::Snapshot(_),
            ) => self.troubled,
            Failure::Runner(RunnerError::Append(_, error)) => self.excuses_append(error),
            Failure::Runner(RunnerError::Recovery(..) | RunnerError::Book(_)) => false,
            Failure::Sink(SinkDriverError::Read { source, .. }) => self.excuses_read(source),
            Failure::Sink(SinkDriverError::DeadLetter { source, .. }) => self.excuses_append(source),
            Failure::Sink(SinkDriverError::Apply { source: SinkError::Stop { .. }, .. }) => self.troubled,
            Failure::Sink(_) => false,
        }
    }

    fn excuses_read(&self, error: &LogError) -> bool {
        match error {
            LogError::Damaged(_) => self.flipped.is_some(),
            LogError::Unavailable(_) => self.troubled,
            // A second runner may be so late that the log has removed the records it would read.
            LogError::Trimmed { topic_partition, .. } => {
                self.process.as_ref().is_some_and(|process| process.has_many_runners(*topic_partition))
            }
            _ => false,
        }
    }

    fn excuses_append(&self, error: &AppendError) -> bool {
        matches!(error, AppendError::Rejected(AppendRejection::Closed)) && self.troubled
    }

    /// Kills the process: what it wrote stays in the page cache.
    pub(super) fn kill(&mut self) {
        self.disk.process_crash();
        self.end_process();
    }

    /// Cuts the power: data that was not durable is lost, kept or torn.
    pub(super) fn lose_power(&mut self) {
        self.disk.power_cut();
        self.end_process();
        self.counts.power_cuts += 1;
    }

    fn end_process(&mut self) {
        self.executor.crash_all();
        self.process = None;
        self.database.close();
        drop(self.answers.take());
        self.clients.lose_connection();
    }

    /// Continues a stop in order once the loops have ended.
    pub(super) fn finish_stop(&mut self) {
        let Some(process) = &mut self.process else { return };
        let loops_run = self.executor.runs(Group::Sink) || self.executor.has_runners();
        if !process.is_stopping() || loops_run {
            return;
        }
        process.log.stop_appends();
        if matches!(process.steps.writer.step(self.world.now_ms()), StepOutcome::Ended) {
            self.note("the process has stopped".into());
            self.kill();
        }
    }
}
