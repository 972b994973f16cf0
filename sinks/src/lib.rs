//! Sinks: what was decided, made readable. Each sink applies events to one store, exactly once in effect.
//!
//! A sink knows its store and nothing of topics, batching, retries or lag: the driver in `pipelines` has those once
//! for all of them. What comes from a log is read by [`intake`], also once. How far a store is, is told by
//! [`Progress`], so that clients can read their own writes.

pub mod contract;
pub mod database;
pub mod dead_letter;
pub mod intake;
pub mod progress;
mod samples;

pub use contract::{Checkpoint, Event, EventBatch, EventRecord, Mark, Sink, SinkError};
pub use dead_letter::DeadLetter;
pub use progress::{Progress, UnknownPartition};
