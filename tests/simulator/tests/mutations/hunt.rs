//! Searches for a seed that fails with a bug and is clean without it.

use std::{ops::Range, path::Path, process::Command};

use crate::catalogue::Mutation;

/// The number of seeds after which a bug counts as not noticed.
const SEEDS_MAX: u64 = 400;
/// The number of steps of each run before all faults are removed.
pub const STEPS: u64 = 2_000;

/// A seed that shows a bug.
pub struct Found {
    /// The number of seeds that were run.
    pub seeds: u64,
    /// The simulator's description of the broken promise.
    pub words: String,
}

impl Found {
    /// The cells of a table row.
    pub fn shown(&self) -> (String, &str) {
        (self.seeds.to_string(), &self.words)
    }
}

/// Runs seeds with a bug until one breaks that is clean without the bug.
pub fn hunt(program: &Path, mutation: &Mutation) -> Option<Found> {
    let mut from = 1;
    while let Some((seed, words)) = first_broken(program, mutation, true, from..SEEDS_MAX + 1) {
        if first_broken(program, mutation, false, seed..seed + 1).is_none() {
            return Some(Found { seeds: seed, words });
        }
        from = seed + 1;
    }
    None
}

/// The first seed that breaks, with the simulator's description.
fn first_broken(
    program: &Path,
    mutation: &Mutation,
    with_bug: bool,
    seeds: Range<u64>,
) -> Option<(u64, String)> {
    let Range { start, end } = seeds;
    let mut run = Command::new(program);
    run.env_remove("ORDERFLOW_MUTANT");
    run.envs(with_bug.then_some(("ORDERFLOW_MUTANT", &mutation.name)));
    run.args(["--seeds", &format!("{start}..{end}"), "--steps", &STEPS.to_string()]);
    run.args(mutation.trade.iter().flat_map(|trade| ["--trade", trade]));
    let output = run.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    if output.status.success() {
        assert_eq!(said.trim(), "clean");
        return None;
    }
    // A program that ends without output was ended by something that no seed should lead to.
    let Some((seed, words)) = said.trim().strip_prefix("broken ").and_then(|said| said.split_once(": "))
    else {
        panic!("seeds {start}..{end}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
    };
    Some((seed.parse().unwrap(), words.lines().next().unwrap_or_default().chars().take(160).collect()))
}
