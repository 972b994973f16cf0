//! The processors: pure, deterministic, event-sourced.
//!
//! Invariant: nothing here sees a clock, a file, a socket or a random number. Time and ids arrive in the commands.
//! `decide` turns a command into events and messages and changes nothing; `evolve` folds an event into the state and
//! decides nothing. So the state is a fold over the events, and recovery never decides the same command again.

mod bulk;
mod contract;
mod keys;
pub mod orders;
pub mod stock;

pub use contract::{Decision, Processor, State};
pub use orders::OrderProcessor;
pub use stock::StockProcessor;
