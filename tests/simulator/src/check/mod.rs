//! The checks: what must hold for all durable data after any events.
//!
//! They share no code with the checked code except the formats and the processors. Stock levels, versions of orders
//! and rows of the store are computed again from the events alone. `decisions` runs the processors again; all other
//! checks are valid for any rules.

mod all;
mod change_keys;
mod decisions;
mod ledger;
mod numbers;
mod orders;
mod store;
mod truth;

use std::fmt;

pub use all::Checks;
pub use change_keys::ChangeKeys;
pub use decisions::Decisions;
pub use ledger::Ledger;
pub use numbers::Numbers;
pub use orders::Orders;
pub use store::Store;
pub use truth::Truth;

/// The description of a broken promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The result of a check.
pub type Checked<T = ()> = Result<T, Violation>;

/// A failed check with a description of the broken promise.
pub fn broken<T>(what: impl Into<String>) -> Checked<T> {
    Err(Violation(what.into()))
}
