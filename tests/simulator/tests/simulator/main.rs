//! Tests of the simulated disk, and of the real log and database on it.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod disk;
mod disk_faults;
mod log;
mod samples;
mod sqlite;
mod whole;
