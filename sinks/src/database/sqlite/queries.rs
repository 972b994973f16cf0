//! The reading statements. Every value is bound; only which conditions there are varies.
//!
//! A condition that no index should serve is written `+column`: where two indexes could serve a list, the narrower
//! one does, and the list still comes in the order of the ids without being sorted.

use orderflow_schemas::OrderId;
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::convert::{Columns, integer};
use crate::{
    contract::Checkpoint,
    database::{Catalogue, DatabaseError, OrderFilter, Start},
};

/// The checkpoint as it is stored.
pub(super) async fn checkpoint(connection: &mut SqliteConnection) -> Result<Checkpoint, DatabaseError> {
    let query = sqlx::query("SELECT * FROM checkpoints");
    let rows = query.fetch_all(connection).await.map_err(DatabaseError::query("read the checkpoint"))?;
    let marks = rows.iter().map(|row| Columns { table: "checkpoints", row }.mark());
    marks.collect::<Result<_, _>>().map(Checkpoint)
}

/// Adds the conditions of a filter on orders.
pub(super) fn push_filter(query: &mut QueryBuilder<Sqlite>, filter: &OrderFilter) {
    let OrderFilter { status, customer_id, from, to, idempotency_key } = filter;
    query.push(" WHERE true");
    if let Some(key) = idempotency_key {
        query.push(" AND idempotency_key = ").push_bind(key.as_str().to_owned());
    }
    if let Some(customer_id) = customer_id {
        let column = if idempotency_key.is_some() { "+customer_id" } else { "customer_id" };
        query.push(" AND ").push(column).push(" = ").push_bind(customer_id.as_str().to_owned());
    }
    if let Some(status) = status {
        let narrower = idempotency_key.is_some() || customer_id.is_some();
        let column = if narrower { "+status" } else { "status" };
        query.push(" AND ").push(column).push(" = ").push_bind(status.as_str().to_owned());
    }
    if let Some(from) = from {
        query.push(" AND placed_at >= ").push_bind(from.as_micros());
    }
    if let Some(to) = to {
        query.push(" AND placed_at < ").push_bind(to.as_micros());
    }
}

/// Adds where a list of orders starts: newest first.
pub(super) fn push_order_start(query: &mut QueryBuilder<Sqlite>, start: &Start<OrderId>, limit: u32) {
    if let Start::After(id) = start {
        query.push(" AND id < ").push_bind(id.as_uuid().as_bytes().to_vec());
    }
    query.push(" ORDER BY id DESC");
    push_limit(query, start, limit);
}

/// Adds the bound of a list, and how many to pass over.
pub(super) fn push_limit<K>(query: &mut QueryBuilder<Sqlite>, start: &Start<K>, limit: u32) {
    query.push(" LIMIT ").push_bind(i64::from(limit));
    if let Start::Skip(count) = start {
        query.push(" OFFSET ").push_bind(integer(*count));
    }
}

/// Adds which SKUs.
pub(super) fn push_catalogue(query: &mut QueryBuilder<Sqlite>, which: Catalogue) {
    query.push(match which {
        Catalogue::All => " WHERE true",
        Catalogue::Products => " WHERE unit_price IS NOT NULL",
    });
}
