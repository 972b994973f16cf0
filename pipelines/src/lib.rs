//! orderflow put together: configuration, the runner of processors, the sink driver, the roles, the commands.
//!
//! The only crate that knows all others.

mod background;
pub mod cli;
mod clock;
mod commands;
mod database;
mod demo;
mod listener;
mod load;
mod look;
mod metric_names;
mod metrics_endpoint;
pub mod processing;
mod serve;
mod settings;
pub mod sink_driver;
mod system;
mod verify;

pub use commands::run;
