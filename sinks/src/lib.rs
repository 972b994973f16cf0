//! Sinks make what was decided readable. Each sink applies events to one store, exactly once in effect.
//!
//! This crate is only the contract; every store is a crate of its own in this folder. A sink knows its store and
//! nothing of topics, batching, retries or lag: the driver in `runner` has these once for all sinks. [`Progress`] tells
//! how far a store is, so that clients can read their own writes.

mod contract;
mod progress;

pub use contract::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};
pub use progress::{Progress, UnknownPartition};
