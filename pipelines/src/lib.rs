//! The whole of orderflow: settings, the parts of a running system, and the commands.
//!
//! This is the only crate that depends on all others.

mod accounts;
mod background;
pub mod cli;
mod commands;
mod demo;
mod front;
mod listener;
mod load;
mod log;
mod login;
mod look;
mod openapi;
#[cfg(test)]
mod reference;
mod remote;
mod roles;
mod serve;
mod settings;
mod simulate;
mod stores;
mod system;
pub mod telemetry;
mod tls;
mod top;
mod verify;

pub use commands::run;
