//! Runs a seed and reports the result.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    check::Violation,
    simulation::{Counts, Simulation},
    trace::without_numbers,
};

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The seed of the run.
    pub seed: u64,
    /// The counts of the run.
    pub counts: Counts,
    /// A digest of the whole run: equal for the same seed and program.
    pub digest: u64,
    /// The broken promise, if there is one.
    pub broken: Option<String>,
    /// The last events of the run, if a promise was broken.
    pub trace: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { steps, records, orders, acknowledged, starts, power_cuts, failures, .. } = self.counts;
        let Counts { declined, shipments, returned, .. } = self.counts;
        if let Some(broken) = &self.broken {
            for line in &self.trace {
                writeln!(f, "{line}")?;
            }
            writeln!(f, "broken: {broken}")?;
        }
        write!(
            f,
            "seed {}: {steps} steps, {records} records, {orders} orders, {declined} declined, {shipments} events of \
             shipments, {returned} orders returned, {acknowledged} acknowledged, {starts} starts, {power_cuts} power cuts, {failures} failures, digest {:016x}",
            self.seed, self.digest
        )
    }
}

/// Runs a seed for `steps` steps and then to rest. A loud run prints every step to standard error.
pub fn simulate(seed: u64, steps: u64, loud: bool) -> Report {
    let mut simulation = Simulation::new(seed, loud);
    let ended = catch_unwind(AssertUnwindSafe(|| simulation.run(steps)));
    let broken = match ended {
        Ok(Ok(())) => None,
        Ok(Err(Violation(what))) => Some(without_numbers(&what)),
        Err(panic) => Some(format!("panic: {}", words(&*panic))),
    };
    let trace = simulation.trace().lines().map(str::to_owned).filter(|_| broken.is_some()).collect();
    let (counts, digest) = (simulation.counts(), simulation.digest());
    Report { seed, counts, digest, broken, trace }
}

/// The message of a panic.
fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without words".into())
}
