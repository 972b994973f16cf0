//! The end of a run: without faults and requests, everything must come to rest.

use std::time::Duration;

use orderflow_world::World;

use super::{Simulation, lock};
use crate::{
    check::{Checked, broken},
    disk::DiskFaults,
};

/// The number of steps within which a healthy system must be at rest.
const STEPS_MAX: u64 = 200_000;
/// A time longer than the short timers of the rules.
const TIMERS_MAX: Duration = Duration::from_secs(6 * 60);

impl Simulation {
    /// Removes all faults, starts the process again, waits for rest, and checks what must hold at rest.
    pub(super) fn come_to_rest(&mut self) -> Checked {
        self.calm = true;
        self.heal();
        self.start()?;
        if self.process.is_none() {
            return broken("the process does not start though all is well");
        }
        self.wait_for_rest()?;
        // Everything due by this time must also happen, with all its consequences.
        self.world.advance_to(self.world.instant() + TIMERS_MAX);
        self.wait_for_rest()?;
        self.checks.orders.check_due(self.world.now())?;
        self.checks.check_rest(self.clients.acknowledged().iter(), self.clients.keys())
    }

    fn wait_for_rest(&mut self) -> Checked {
        for _ in 0..STEPS_MAX {
            // The writes of the log may wake a task.
            if self.is_at_rest() && self.is_log_idle() && self.is_at_rest() {
                self.check_store()?;
                let truth = lock(&self.truth);
                if self.checks.is_at_rest(&truth) {
                    return Ok(());
                }
            }
            self.calm_step()?;
        }
        broken("it does not come to rest though all is well")
    }

    fn heal(&mut self) {
        self.note("all is healed".into());
        if let Some((path, byte, bit)) = self.flipped.take() {
            self.disk.flip_bit(&path, byte, bit);
        }
        self.disk.set_faults(DiskFaults::default());
        if self.rng.bool() {
            self.lose_power();
        } else {
            self.kill();
        }
    }

    fn is_at_rest(&self) -> bool {
        let idle = self.executor.ready().is_empty() && self.clients.waiting() == 0;
        let next = self.world.next_deadline();
        idle && next.is_none_or(|next| next > self.world.instant() + Duration::from_secs(10))
    }

    /// Polls tasks first, then runs the log, then advances the time.
    fn calm_step(&mut self) -> Checked {
        self.counts.steps += 1;
        let ready = self.executor.ready();
        if !ready.is_empty() {
            self.poll(&ready);
        } else if self.is_log_idle() {
            let next = self.world.next_deadline().unwrap_or_default();
            self.world.advance_to(next.max(self.world.instant()));
        }
        self.settle()
    }

    pub(super) fn is_log_idle(&mut self) -> bool {
        let now_ms = self.world.now_ms();
        let Some(process) = &mut self.process else { return true };
        let idle = |did| matches!(did, orderflow_topics::embedded::StepOutcome::Nothing);
        let (allocator, writer) = (process.steps.allocator.step(), process.steps.writer.step(now_ms));
        idle(allocator) && idle(writer)
    }
}
