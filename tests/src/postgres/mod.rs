//! Postgres for tests: clusters of their own, made by the programs that are installed and gone with the tests.
//!
//! A cluster listens on a Unix socket in its own folder and nowhere else, so no port can be taken. [`programs`] finds
//! what is installed and the account it may run under, [`keeper`] is the thread that starts servers, [`cluster`] is
//! a server and its databases.

mod cluster;
mod keeper;
mod programs;

pub use cluster::{Cluster, Database};
