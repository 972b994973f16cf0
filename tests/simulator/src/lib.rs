//! The simulator: the real processors, runner, sink driver, log and database sink in a world that a seed determines.
//!
//! It follows FoundationDB's simulation and TigerBeetle's VOPR: one thread, a simulated disk, clock and network, and
//! one generator for every choice. The same seed gives the same run to the byte. The invariants of the design are
//! checked after each step, also after faults. A run that breaks an invariant is reported with its seed and its
//! last events.

mod check;
mod clients;
mod database;
pub mod disk;
mod executor;
mod ingest;
mod many;
mod plan;
mod process;
mod report;
mod simulation;
pub mod sqlite;
mod trace;
mod wire;
mod world;

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

pub use many::simulate_many;
pub use plan::{Plan, Trade};
pub use report::{Report, simulate};
pub use simulation::Counts;

/// The output of a future that is ready at once, because its disk never blocks.
fn at_once<F: Future>(future: F) -> F::Output {
    at_once_or_never(future).expect("nothing blocks on a simulated disk")
}

/// The output of a future, if it is ready at once.
fn at_once_or_never<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
