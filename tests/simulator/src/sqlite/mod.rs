//! The real database sink on the simulated disk: SQLite with a VFS whose files are those of a
//! [`crate::disk::SimDisk`].
//!
//! *Names*: SQLite identifies files by name and its VFS are global. Each [`SimSqlite`] therefore has a number, and
//! its file names begin with that number. On the disk they have only the rest of the name.
//! *Order*: a call of the sink is complete when it returns, and so is the closing of a connection that a failed call
//! has dropped. Nothing of SQLite runs in between.
//! *Determinism*: SQLite's operations on the disk are a function of its calls. Some bytes that it writes are not
//! (salts, the duration of a migration), and nothing depends on them.
//! *Shared memory*: the memory of the WAL mode belongs to a generation and ends with it, as that of a killed machine
//! does.

mod door;
mod file;
mod locks;
mod registry;
mod sim;
mod vfs;

pub use sim::{Content, SimSink, SimSqlite};
