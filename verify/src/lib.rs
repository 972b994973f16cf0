//! Verification: recomputes everything from the log and compares every store with it.
//!
//! It reads the log of a stopped server, or a copy of a running one's, changes nothing, and checks:
//! - every source counts 1, 2, 3 … in every partition, and a number that comes again has the bytes it had
//!   (invariant 3);
//! - the processors, run again over the commands, write the events and messages that are there, to the byte
//!   (invariant 2), and each kept snapshot equals the state they come by;
//! - every command that could not be read has a dead letter, and every letter the bytes it is about;
//! - an independent ledger of every SKU agrees with the levels of every event and balances (invariant 5);
//! - every order's versions count 1, 2, 3 … (invariant 6);
//! - what orders hold is what stock has reserved;
//! - each store has, up to its checkpoint, what follows from the events, and nothing else (invariant 7); the database's
//!   counters say how many rows it has.
//!
//! Where retention has removed a partition's beginning, its processor begins at the oldest snapshot that is left, the
//! first that is met of an order or a SKU is taken as given, and what the database has from before is counted as
//! unchecked.
//!
//! Partitions are checked side by side. Memory grows with active orders and SKUs, as that of the processors, and not
//! with history: orders and their changes are sorted on disk and merged with the rows of the database.

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
mod run;
mod snapshots;
mod sorter;
mod store;
mod written;

pub use differences::Differences;
pub use report::Report;
pub use run::{Resources, Rules, Subject, run};
pub use store::{DatabaseContent, Expected, StoredContent};
