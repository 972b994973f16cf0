//! orderflow put together: configuration, the runner of processors, the sink driver, the roles, the commands.
//!
//! The only crate that knows all others.

mod background;
pub mod cli;
mod commands;
mod database;
mod demo;
mod front;
mod listener;
mod load;
mod look;
mod metrics_endpoint;
mod serve;
mod settings;
mod simulate;
mod system;
mod verify;

pub use commands::run;
use orderflow_runner::{processing, sink_driver};
