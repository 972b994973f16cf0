//! What is not as it must be: the first ones by name, all of them by number.

use std::fmt;

/// How many differences are kept by name.
const NAMED_MAX: usize = 20;

/// Differences found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    named: Vec<String>,
    count: u64,
}

impl Differences {
    /// Adds one; it is put into words only while there are few.
    pub fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(name());
        }
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds those that another check has found.
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
