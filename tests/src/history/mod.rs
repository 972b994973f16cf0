//! The requests of clients and their answers, and checks whether they can be true, in the manner of Jepsen.
//!
//! The checks are pure. They know the server only by its answers, by its final state and by its log, and share no
//! code with the server. Each check has tests with histories that are wrong in one way, which it must find: a check
//! that cannot fail checks nothing.

mod balance;
mod ending;
mod entry;
mod kept;
mod keys;
pub mod linear;
mod recorder;
#[cfg(test)]
mod samples;
mod shelf;
mod versions;

pub use balance::stock_balances;
pub use ending::{Ending, Holds};
pub use entry::{Entry, Levels, Operation, Order, Outcome};
pub use kept::acknowledged_is_present;
pub use keys::one_effect_a_key;
pub use recorder::History;
pub use shelf::{Does, Shelf, is_linearizable};
pub use versions::{reads_never_go_back, versions_count};

/// Runs all checks except the linearizability of single SKUs.
pub fn check_all(history: &[Entry], ending: &Ending) -> Result<(), String> {
    acknowledged_is_present(history, ending)?;
    one_effect_a_key(history, ending)?;
    versions_count(ending)?;
    reads_never_go_back(history)?;
    stock_balances(history, ending)
}
