//! Verification: recomputes everything from the log and compares every store with it.
//!
//! It reads the log of a stopped server, or a copy of a running server's log, changes nothing, and checks the
//! following.
//! - Every source counts 1, 2, 3 … in every partition, and a repeated number has the same bytes (invariant 3).
//! - The processors, run again over the commands, give the same bytes of events and messages as in the log (invariant
//!   2). Each kept snapshot equals the state at its offset.
//! - Every unreadable command has a dead letter, and every letter contains the bytes of its record.
//! - An independent ledger of every SKU agrees with the levels of every event, and balances (invariant 5).
//! - No more units of a SKU come back from an order than were shipped for it.
//! - The versions of every order count 1, 2, 3 … (invariant 6).
//! - The units that orders hold equal the units that stock has reserved for them.
//! - Each store has, up to its checkpoint, exactly the content that follows from the events (invariant 7). The
//!   database's counters equal its numbers of rows.
//!
//! If retention has removed a partition's beginning, its processor starts at the oldest remaining snapshot. The first
//! remaining change of an order or SKU is taken as given, and older content of the database is counted as unchecked.
//!
//! Partitions are checked in parallel. Memory grows with active orders and SKUs, like that of the processors, and not
//! with history: orders, their changes, their shipments and what came back of them are sorted on disk, and merged with
//! the rows of the database.

mod decisions;
mod differences;
mod entry;
mod holdings;
mod ledger;
mod letters;
mod messages;
mod orders;
mod parallel;
mod processors;
mod reach;
mod records;
mod repeats;
mod report;
mod returns;
mod run;
mod shipments;
mod snapshots;
mod sorter;
mod store;
mod written;

pub use differences::Differences;
pub use report::Report;
pub use run::{Resources, Rules, Subject, run};
pub use store::{DatabaseContent, Expected, StoredContent};
