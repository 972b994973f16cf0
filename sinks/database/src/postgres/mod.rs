//! Postgres: the database of installations that have one, or of several processes.
//!
//! *Layout*: the tables of SQLite's, with Postgres's types, in a schema of their own (`migrations/`). It is reached
//! through `search_path` alone, so no statement is put together from a name. *Durability*: `synchronous_commit=on`,
//! one commit a batch, the checkpoint in it. *Recovery*: after an error the connection is dropped and the next
//! attempt opens another; a batch whose commit may or may not have happened is applied again, which changes nothing.
//! *Order*: each upsert keeps the higher version and checkpoints only go forward, so two processes that write the
//! same events, from wherever, do no harm. *Texts*: U+0000, which Postgres cannot store, is escaped ([`text`]).
//!
//! A direct connection, or a pooler that gives a session to each: settings are made at connecting, statements are
//! prepared, and migrating takes a session's advisory lock.

mod batch;
mod breaker;
pub mod checks;
mod connect;
mod reader;
mod row;
mod schema;
mod settings;
mod text;
mod writer;

pub use connect::OLDEST_SERVER;
pub use reader::PostgresReader;
pub use settings::{InvalidSchemaName, PostgresSettings, SchemaName};
pub use writer::PostgresSink;
