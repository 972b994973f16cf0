//! The parts that all databases share: the tables, the reading and writing statements, and the conversion of columns to
//! values. A database adds how it connects, how it takes many rows at once, and the form of a value in its columns.

use orderflow_schemas::{Order, order::Failure, returns::ReturnedUnits};

mod clauses;
mod reads;
mod row;
mod select;
mod tables;

pub(super) use clauses::{push_filter, push_order_start};
pub(super) use row::{Columns, Row};
pub(super) use select::{Select, Value};
pub(super) use tables::{CHECKPOINTS, ORDER_HISTORY, ORDERS, SHIPMENT_EVENTS, STOCK, Table};

pub(super) use reads::{CHECKPOINT, CLAIM, LOG, SqlDatabase, Visit, check_log, checkpoint_of};

/// A number in the form of a column. [`crate::Rows`] has refused numbers that do not fit; offsets and counters never
/// become so large.
pub(super) fn integer(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The code of ISO 4217 for no currency, which an order without prices has in its column.
pub(super) const NO_CURRENCY: &str = "XXX";

/// The currency of an order as it is stored.
pub(super) fn currency_of(order: &Order) -> &str {
    order.currency.as_ref().map_or(NO_CURRENCY, |currency| currency.as_str())
}

/// The returned units of an order as they are stored. An empty list is NULL.
pub(super) fn returned_of(order: &Order) -> Option<&[ReturnedUnits]> {
    Some(&*order.returned).filter(|returned| !returned.is_empty())
}

/// The failures of an order as they are stored. Almost no order has failures, so an empty list is NULL.
pub(super) fn failures_of(order: &Order) -> Option<&[Failure]> {
    Some(&*order.failures).filter(|failures| !failures.is_empty())
}
