//! SQLite in the data directory: the database when no other is named.
//!
//! *Layout*: one file in WAL mode; each table is one tree clustered by its key (`migrations/`). One connection
//! writes, a few read; readers see whole batches only. *Durability*: `synchronous=FULL`, one fsync a batch.
//! NORMAL was measured and is no faster at the batch sizes of a sink, and after a power cut it may lose the last
//! transactions: the sink would then apply them again from its older checkpoint, but by then the log may have
//! removed what the lost checkpoint had released. What a sync that fails leaves in the WAL: `wal.rs`. *Recovery*:
//! SQLite's own; then the driver reads on from the checkpoint that is stored. *Order*: each upsert keeps the higher
//! version, so a repeated batch changes nothing.

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
