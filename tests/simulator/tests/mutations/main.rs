//! Tests whether the simulator notices bugs: each deliberate bug in `mutations.toml` must break a seed that is clean
//! without it.
//!
//! All bugs are built into one program, in a copy of the sources, and selected when the program runs (mutant
//! schemata: Untch, Offutt and Harrold, 1993). There is therefore one build, which takes everything outside this
//! workspace from the build that made this test. The code itself does not know the bugs.

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
use hunt::{Found, STEPS, hunt};

#[test]
fn every_deliberate_bug_breaks_a_seed() {
    let catalogue = Catalogue::read();
    let program = Copied::make(&catalogue).build();
    let left = Mutex::new(catalogue.mutations.iter().enumerate());
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    let ended = Mutex::new(Vec::new());
    // Each run is a separate process, and as many run at once as there are cores.
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((n, mutation)) = next() {
                    let found = hunt(&program, mutation);
                    ended.lock().unwrap_or_else(PoisonError::into_inner).push((n, mutation, found));
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap();
    ended.sort_by_key(|(n, ..)| *n);
    let mut out = stderr().lock();
    writeln!(out, "| bug | seeds of {STEPS} steps | what the simulator says |\n|---|---|---|").unwrap();
    for (_, mutation, found) in &ended {
        let (seeds, words) = found.as_ref().map_or(("none".into(), ""), Found::shown);
        writeln!(out, "| {} | {seeds} | {words} |", mutation.breaks).unwrap();
    }
    let survivors = ended.iter().filter(|(.., found)| found.is_none());
    let survivors: Vec<_> = survivors.map(|(_, mutation, _)| &mutation.name).collect();
    assert!(survivors.is_empty(), "the simulator does not notice {survivors:?}");
}
