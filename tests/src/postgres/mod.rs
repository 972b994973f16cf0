//! Postgres for tests: separate clusters that the installed programs create, and that are removed after the tests.
//!
//! A cluster listens only on a Unix socket in its folder, so no port can be in use. [`programs`] finds the installed
//! programs and the account that they may run under, [`keeper`] is the thread that starts servers, and [`cluster`] is
//! a server with its databases.

mod cluster;
mod keeper;
mod programs;

pub use cluster::{Cluster, Database};
