//! The checkers: what must hold of all that is durable, whatever has happened.
//!
//! They share no code with what they check but the formats and the processors: the levels of stock, the versions of
//! orders and the rows of the store are computed here once more, from the events alone. `decisions` runs the
//! processors again; everything else would hold for any rules.

mod all;
mod decisions;
mod ledger;
mod numbers;
mod orders;
mod store;
mod truth;

use std::fmt;

pub use all::Checks;
pub use decisions::Decisions;
pub use ledger::Ledger;
pub use numbers::Numbers;
pub use orders::Orders;
pub use store::Store;
pub use truth::Truth;

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a check came to.
pub type Checked<T = ()> = Result<T, Violation>;

/// A broken promise, in words.
pub fn broken<T>(what: impl Into<String>) -> Checked<T> {
    Err(Violation(what.into()))
}
