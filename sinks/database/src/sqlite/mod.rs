//! SQLite in the data directory: the database if no other is configured.
//!
//! *Layout*: one file in WAL mode; each table is one tree, clustered by its key (`migrations/`). One connection writes,
//! a few read; readers see whole batches only. *Durability*: `synchronous=FULL`, one fsync a batch. NORMAL was
//! measured: it is no faster at the batch sizes of a sink, and a power failure may undo the last transactions. The sink
//! would then apply them again from its older checkpoint, but the log may by then have removed what the lost checkpoint
//! had released. `wal.rs` handles what a failed sync leaves in the WAL. *Recovery*: SQLite recovers by itself; then the
//! driver continues from the stored checkpoint. *Order*: each upsert keeps the higher version, so a repeated batch
//! changes nothing.

mod pool;
mod reader;
mod schema;
mod statements;
mod wal;
mod writer;

#[cfg(test)]
mod tests;

pub use reader::SqliteReader;
pub use schema::SqliteSettings;
pub use writer::SqliteSink;
