//! The loops: the runner of processors and the driver of sinks.
//!
//! Time, tasks and unique names come through [`World`](orderflow_world::World). The same loops therefore run on tokio
//! in the binary, and in the simulator, where a seed decides what happens when.

pub mod metrics;
pub mod processing;
pub mod sink_driver;
