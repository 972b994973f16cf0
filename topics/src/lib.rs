//! The durable log under orderflow: the [`Topics`] trait, its conformance suite and the engines.

mod contract;

pub use contract::{
    AppendError, Appended, Batch, Chunk, Durability, ReadError, Receipt, Rejection, Topics, Visibility,
    partitions_of,
};
