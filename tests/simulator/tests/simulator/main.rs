//! What the simulated disk promises, and what the real log and the real database make of it.

#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod disk;
mod disk_faults;
mod log;
mod samples;
mod sqlite;
mod whole;
