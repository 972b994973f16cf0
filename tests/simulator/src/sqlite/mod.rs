//! The real database sink on the simulated disk: SQLite with a VFS whose files are those of a [`crate::disk::SimDisk`].
//!
//! SQLite knows files by name and its VFS are global, so each [`SimSqlite`] has a number, and its files have names
//! that begin with it; on the disk they have the rest of the name. *Order*: a sink's calls are over when they return,
//! and so is the closing of a connection that a failed call has dropped; nothing of SQLite runs in between. *The same
//! again*: what SQLite does to the disk is a function of its calls; some bytes it writes are not (salts, the duration
//! of a migration), and nothing depends on them. *Shared memory* of the WAL mode is memory of the generation and dies
//! with it, as that of a killed machine does.

mod door;
mod file;
mod locks;
mod registry;
mod sim;
mod vfs;

pub use sim::{Content, SimSink, SimSqlite};
