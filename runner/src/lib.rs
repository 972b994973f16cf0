//! The loops: the runner of processors and the driver of sinks.
//!
//! What they need besides the log, a processor or a sink comes through [`World`](orderflow_world::World): time, tasks and
//! unique names. So the
//! same loops run on tokio in the binary, and in the simulator where a seed decides what happens when.

mod metric_names;
pub mod processing;
pub mod sink_driver;
