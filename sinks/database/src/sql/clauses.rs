//! The clauses of the reading statements. Every value is bound; only the set of conditions varies.
//!
//! A condition that no index should serve is written `column || ''`. If two indexes could serve a list, the narrower
//! one does, and the list still comes in the order of the ids without a sort.

use orderflow_schemas::OrderId;
use orderflow_schemas::lists::Start;

use super::{Select, SqlDatabase, integer};
use crate::{Catalogue, OrderFilter};

/// Adds the conditions of a filter on orders.
pub(crate) fn push_filter<S: SqlDatabase>(select: &mut Select, filter: &OrderFilter) {
    let OrderFilter { status, customer_id, customer_ids, from, to, idempotency_key } = filter;
    select.push(" WHERE true");
    if let Some(key) = idempotency_key {
        select.push(" AND idempotency_key = ").bind(key.as_str());
    }
    if let Some(customer_id) = customer_id {
        let column = if idempotency_key.is_some() { "customer_id || ''" } else { "customer_id" };
        select.push(" AND ").push(column).push(" = ").bind(customer_id.as_str());
    }
    if let Some(ids) = customer_ids {
        let column = if idempotency_key.is_some() || customer_id.is_some() {
            "customer_id || ''"
        } else {
            "customer_id"
        };
        select.push(" AND ").push(column).push(" ");
        S::push_texts(select, ids.iter().map(|id| id.as_str().to_owned()).collect());
    }
    if let Some(status) = status {
        let narrower = idempotency_key.is_some() || customer_id.is_some() || customer_ids.is_some();
        let column = if narrower { "status || ''" } else { "status" };
        select.push(" AND ").push(column).push(" = ").bind(status.as_str());
    }
    if let Some(from) = from {
        select.push(" AND placed_at >= ").bind(from.as_micros());
    }
    if let Some(to) = to {
        select.push(" AND placed_at < ").bind(to.as_micros());
    }
}

/// Adds the start, the order and the bound of a list of orders: newest first.
pub(crate) fn push_order_start(select: &mut Select, start: &Start<OrderId>, limit: u32) {
    if let Start::After(id) = start {
        select.push(" AND id < ").bind(*id);
    }
    select.push(" ORDER BY id DESC");
    push_limit(select, start, limit);
}

/// Adds the bound of a list, and the number of rows to skip.
pub(super) fn push_limit<K>(select: &mut Select, start: &Start<K>, limit: u32) {
    select.push(" LIMIT ").bind(i64::from(limit));
    if let Start::Skip(count) = start {
        select.push(" OFFSET ").bind(integer(*count));
    }
}

/// Adds the condition that selects SKUs.
pub(super) fn push_catalogue(select: &mut Select, which: Catalogue) {
    select.push(match which {
        Catalogue::All => " WHERE true",
        Catalogue::Products => " WHERE unit_price IS NOT NULL",
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{sql::Value, sqlite::SqliteReader};

    #[test]
    fn values_are_bound_and_only_one_condition_may_use_an_index() {
        let filter = OrderFilter {
            status: Some("X".parse().unwrap()),
            customer_id: Some("'; DROP".replace(' ', "").parse().unwrap()),
            ..OrderFilter::default()
        };
        let mut select = Select::new("SELECT * FROM orders");
        push_filter::<SqliteReader>(&mut select, &filter);
        push_order_start(&mut select, &Start::Skip(3), 10);
        let (text, values) = select.into_parts();
        assert_eq!(
            text,
            "SELECT * FROM orders WHERE true AND customer_id = $1 AND status || '' = $2 \
             ORDER BY id DESC LIMIT $3 OFFSET $4"
        );
        let expected = ["';DROP".into(), "X".into(), Value::Integer(10), Value::Integer(3)];
        assert_eq!(values, expected);
    }
}
