//! What the rest of orderflow needs from the machine: clocks, tasks, unique names and files.
//!
//! Code that takes a [`World`] and a [`disk::Disk`] runs unchanged in the binary and in the simulator, where one seed
//! decides the time, the order of tasks and every disk fault. [`Numbering`] is the one rule by which a process names
//! and numbers the records it appends. With [`metric`] a crate lists what it measures; with [`spans`] a loop reports
//! what it did for a trace.

pub mod disk;
pub mod metric;
mod numbering;
pub mod spans;
mod world;

pub use numbering::Numbering;
pub use world::{Instant, Task, TokioWorld, World, until, wall_clock};
