//! The database sink and the reads beside it: one module knows the tables.
//!
//! Four tables: `orders` (each as it stands), `order_history` (each change, the audit), `stock` (levels and
//! catalogue) and `checkpoints` (how far the sink is, committed with the rows). [`rows`] turns events into rows, the
//! same for every database. [`sqlite`] stores them in the data directory. Another database is another module beside
//! it, with a [`crate::Sink`], a [`Reader`] and an [`Audit`] of its own over the same row types.

pub mod conformance;
mod error;
pub mod postgres;
mod reader;
mod rows;
mod sql;
pub mod sqlite;

pub use error::DatabaseError;
pub use reader::{Audit, Catalogue, OrderFilter, Reader, Slice, Start};
pub use rows::{HistoryEntry, Rows, StockItem};
