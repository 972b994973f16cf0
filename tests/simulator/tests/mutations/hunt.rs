//! Looking for a seed that a bug breaks and that is clean without it.

use std::{path::Path, process::Command};

/// A bug that survives so many seeds is not noticed.
const SEEDS_MAX: u64 = 400;
/// How long a seed runs before everything is healed.
pub const STEPS: u64 = 2_000;

/// A seed that shows a bug.
pub struct Found {
    /// How many seeds it took.
    pub seeds: u64,
    /// What the simulator said.
    pub words: String,
}

impl Found {
    /// As a line of a table has it.
    pub fn shown(&self) -> (String, &str) {
        (self.seeds.to_string(), &self.words)
    }
}

/// Runs seeds with a bug until one breaks that does not break without it.
pub fn hunt(program: &Path, mutant: &str) -> Option<Found> {
    let mut from = 1;
    while let Some((seed, words)) = first_broken(program, Some(mutant), from, SEEDS_MAX + 1) {
        if first_broken(program, None, seed, seed + 1).is_none() {
            return Some(Found { seeds: seed, words });
        }
        from = seed + 1;
    }
    None
}

/// The first seed that breaks, and what the simulator says of it.
fn first_broken(program: &Path, mutant: Option<&str>, from: u64, to: u64) -> Option<(u64, String)> {
    let mut run = Command::new(program);
    run.env_remove("ORDERFLOW_MUTANT");
    run.envs(mutant.map(|name| ("ORDERFLOW_MUTANT", name)));
    run.args(["--seeds", &format!("{from}..{to}"), "--steps", &STEPS.to_string()]);
    let output = run.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    if output.status.success() {
        assert_eq!(said.trim(), "clean");
        return None;
    }
    // A program that ends without a word has been ended by something that no seed should lead to.
    let Some((seed, words)) = said.trim().strip_prefix("broken ").and_then(|said| said.split_once(": "))
    else {
        panic!("seeds {from}..{to}: {} {}", output.status, String::from_utf8_lossy(&output.stderr));
    };
    Some((seed.parse().unwrap(), words.lines().next().unwrap_or_default().chars().take(160).collect()))
}
