//! Sinks: what was decided, made readable. Each sink applies events to one store, exactly once in effect.
//!
//! This crate is the contract only; every store is a crate of its own in this folder. A sink knows its store and nothing
//! of topics, batching, retries or lag: the driver in `runner` has those once for all of them. How far a store is, is told
//! by [`Progress`], so that clients can read their own writes.

mod contract;
mod progress;

pub use contract::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};
pub use progress::{Progress, UnknownPartition};
