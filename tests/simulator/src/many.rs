//! Runs many seeds, on as many threads as there are cores.

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::{Report, simulate};

/// Runs each seed for `steps` steps and then to rest, and passes each report to `report`, in any order. Starts no
/// further seed once `report` has returned `false`.
pub fn simulate_many(
    seeds: impl Iterator<Item = u64> + Send,
    steps: u64,
    report: impl FnMut(Report) -> bool + Send,
) {
    let (seeds, report) = (Mutex::new(seeds.fuse()), Mutex::new((report, true)));
    let next = || seeds.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(seed) = next() {
            let ended = simulate(seed, steps, false);
            let (report, more) = &mut *report.lock().unwrap_or_else(PoisonError::into_inner);
            *more &= report(ended);
            if !*more {
                return;
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(work);
        }
    });
}
