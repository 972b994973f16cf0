//! Does the simulator notice bugs? Each deliberate one of `mutations.toml` must break a seed that is clean without it.
//!
//! All are built into one program, in a copy of the sources, and chosen when it runs (mutant schemata: Untch, Offutt
//! and Harrold, 1993): so there is one build, which takes all that is not of this workspace from the build that made
//! this test. The code itself knows nothing of them.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod catalogue;
mod copy;
mod hunt;

use std::{
    io::{Write, stderr},
    sync::{Mutex, PoisonError},
    thread,
};

use catalogue::Catalogue;
use copy::Copied;
use hunt::{Found, hunt};

#[test]
fn every_deliberate_bug_breaks_a_seed() {
    let catalogue = Catalogue::read();
    let program = Copied::make(&catalogue).build();
    let left = Mutex::new(catalogue.mutations.iter());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let survivors = Mutex::new(Vec::new());
    // Each is a process of its own, and as many run at once as there are cores.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutation) = next() {
                    let line = match hunt(&program, &mutation.name) {
                        Some(Found { seeds, words }) => format!("caught after {seeds} seeds: {words}"),
                        None => {
                            survivors.lock().unwrap().push(mutation.name.clone());
                            "SURVIVES".into()
                        }
                    };
                    writeln!(stderr(), "{} ({}): {line}", mutation.name, mutation.breaks).unwrap();
                }
            });
        }
    });
    let survivors = survivors.into_inner().unwrap();
    assert!(survivors.is_empty(), "the simulator does not notice {survivors:?}");
}
