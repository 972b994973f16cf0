//! The loops: the runner of processors and the driver of sinks.
//!
//! What they need besides the log, a processor or a sink comes through [`World`]: time, fresh names, tasks. So the
//! same loops run on tokio in the binary, and in the simulator where a seed decides what happens when.

mod metric_names;
pub mod processing;
pub mod sink_driver;
mod world;

pub use world::{Instant, Task, TokioWorld, World};
