//! The database sink and the reads of the database: this one crate knows the tables.
//!
//! The tables are `orders` (the current state of each), `order_history` (each change, for audits), `shipment_events`
//! (what couriers reported), `stock` (levels and
//! catalogue), `order_counts` (the number of orders in each status), `checkpoints` (how far the sink is, committed with
//! the rows) and `log` (the log that the rows come from). [`rows`] turns events into rows, the same for every database;
//! `sql` has the statements and conversions that all databases share. [`sqlite`] stores in the data directory,
//! [`postgres`] on a server. Another database is another module beside them, with a [`Sink`](orderflow_sinks::Sink) and
//! the code that runs the shared statements; [`conformance`] tests what it must do.

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
pub use reader::{COUNTED_MAX, CUSTOMERS_MAX, Catalogue, DatabaseAudit, DatabaseReader, OrderFilter};
pub use rows::{HistoryEntry, Rows, ShipmentEntry, StockItem};
