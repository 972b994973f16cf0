//! What the databases have in common, once: the tables, the reading and writing statements, and the way from columns
//! to values. A database adds how it connects, how it takes many rows at once, and what a value is in its columns.

use orderflow_schemas::{Order, order::Failure};

mod clauses;
mod reads;
mod row;
mod select;
mod tables;

pub(super) use clauses::{push_filter, push_order_start};
pub(super) use row::{Columns, Row};
pub(super) use select::{Select, Value};
pub(super) use tables::{CHECKPOINTS, ORDER_HISTORY, ORDERS, STOCK, Table};

pub(super) use reads::{CHECKPOINT, CLAIM, LOG, SqlDatabase, Visit, check_log, checkpoint_of};

/// A number as a column holds it. [`crate::Rows`] has refused what does not fit; offsets and counters
/// never get so far.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The failures of an order as they are stored: almost none has any, so none is NULL.
pub(super) fn failures_of(order: &Order) -> Option<&[Failure]> {
    Some(&*order.failures).filter(|failures| !failures.is_empty())
}
