//! A store against the log: each row that should be there is, as it should be, and no other.
//!
//! Both sides come in the order of their keys, so that no row is kept in memory. Retention removes the beginnings of
//! partitions: what a store has of them is counted as unchecked, since nothing is left that could tell whether it is
//! as it should be. So is what a store has beyond the end of a log that is behind it; that it is ahead is a
//! difference of its own.

mod checkpoint;
mod history;
mod orders;
mod stock;

pub(super) use checkpoint::compare_checkpoint;
pub(super) use history::compare_history;
pub(super) use orders::{compare_orders, tell_orders};
pub(super) use stock::compare_stock;
