//! Postgres: the database for installations that already have one, or that have several processes.
//!
//! *Layout*: the same tables as in SQLite, with the types of Postgres, in a schema of their own (`migrations/`). The
//! schema is selected by `search_path` alone, so no statement contains its name. *Durability*: `synchronous_commit=on`,
//! one commit a batch, which includes the checkpoint. *Recovery*: after an error the connection is dropped and the next
//! attempt opens another one. A batch whose commit may or may not have happened is applied again, which changes
//! nothing. *Order*: each upsert keeps the higher version and checkpoints only go forward, so two processes that write
//! the same events do no harm, wherever they start. *Texts*: U+0000, which Postgres cannot store, is escaped
//! ([`text`]).
//!
//! It needs a direct connection, or a pooler that gives each client a session: settings are made when connecting,
//! statements are prepared, and migrating takes an advisory lock of the session.

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
