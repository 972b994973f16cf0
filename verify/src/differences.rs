//! The differences found: the first ones described, all of them counted.

use std::fmt;

/// How many differences are kept with their description.
const NAMED_MAX: usize = 20;

/// The differences found by a check.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    named: Vec<String>,
    count: u64,
}

impl Differences {
    /// Adds a difference. `name` describes it, and is called only while few differences are kept.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(name());
        }
    }

    /// The number of all differences.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds the differences that another check has found.
    pub(super) fn absorb(&mut self, other: Self) {
        self.count += other.count;
        let room = NAMED_MAX - self.named.len();
        self.named.extend(other.named.into_iter().take(room));
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for difference in &self.named {
            writeln!(f, "difference: {difference}")?;
        }
        let more = self.count - self.named.len() as u64;
        if more > 0 { writeln!(f, "… and {more} more") } else { Ok(()) }
    }
}
