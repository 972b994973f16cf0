//! The durable log under orderflow: the [`Topics`] trait, its conformance suite and the engines.

pub mod conformance;
mod contract;
pub mod embedded;
mod engine;
pub mod memory;
pub mod metrics;
mod patient;

pub use contract::{
    AppendError, AppendRejection, Appended, Batch, Chunk, Durability, LogError, Receipt, Topics, Visibility,
    partitions_of,
};
pub use embedded::EmbeddedLog;
pub use engine::Engine;
pub use patient::Patient;
