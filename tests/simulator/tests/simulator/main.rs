//! What the simulated disk promises, and what the real log and the real database make of it.

mod disk;
mod disk_faults;
mod log;
mod samples;
mod sqlite;
