//! The database sink and the reads beside it: one crate knows the tables.
//!
//! The tables are `orders` (each as it stands), `order_history` (each change, the audit), `stock` (levels and catalogue),
//! `order_counts` (how many orders have each status), `checkpoints` (how far the sink is, committed with the rows) and
//! `log` (which log the rows come from). [`rows`] turns events into rows, the
//! same for every database; `sql` has the statements and conversions that all share. [`sqlite`] stores in the data
//! directory, [`postgres`] on a server. Another database is another module beside them, with a
//! [`Sink`](orderflow_sinks::Sink) and what it takes to run the shared statements; [`conformance`] says what it must do.

pub mod conformance;
mod error;
pub mod metrics;
mod migrations;
pub mod postgres;
mod reader;
mod rows;
mod samples;
mod sql;
pub mod sqlite;

pub use error::DatabaseError;
pub use reader::{COUNTED_MAX, Catalogue, DatabaseAudit, DatabaseReader, OrderFilter};
pub use rows::{HistoryEntry, Rows, StockItem};
