//! One batch, one transaction: for each table one statement that takes its rows as arrays, one a column.
//!
//! Measured by `examples/postgres_loader.rs`; its header has the numbers. Rows come sorted by their keys, so two
//! processes that write the same rows lock them in the same order and wait for each other.

use std::{sync::LazyLock, time::Duration};

use orderflow_schemas::Order;
use sqlx::{Connection, PgConnection, Postgres, postgres::PgArguments, query::Query, types::Json};

use super::{connect::within, text::escaped};
use crate::{
    contract::Checkpoint,
    database::{
        HistoryEntry, Rows, StockItem,
        sql::{CHECKPOINTS, ORDER_HISTORY, ORDERS, STOCK, Table, failures_of, integer},
    },
};

type Statement = Query<'static, Postgres, PgArguments>;

static UPSERT_ORDERS: LazyLock<String> = LazyLock::new(|| upsert(&ORDERS));
static INSERT_HISTORY: LazyLock<String> = LazyLock::new(|| upsert(&ORDER_HISTORY));
static UPSERT_STOCK: LazyLock<String> = LazyLock::new(|| upsert(&STOCK));
static UPSERT_CHECKPOINTS: LazyLock<String> = LazyLock::new(|| upsert(&CHECKPOINTS));

/// The statement of a table, made of constants.
fn upsert(table: &Table) -> String {
    let kinds = (1..).zip(table.columns.iter().map(|(_, kind)| kind));
    let arrays: Vec<_> = kinds.map(|(number, kind)| format!("${number}::{kind}[]")).collect();
    format!("{} SELECT * FROM UNNEST({}) {}", table.insert(), arrays.join(", "), table.conflict)
}

/// Writes the rows and the checkpoint. `limit` is how long a statement may take before the server counts as gone.
/// After an error, or dropped, the connection is not to be used again.
pub(super) async fn write(
    connection: &mut PgConnection,
    rows: &Rows,
    checkpoint: &Checkpoint,
    limit: Duration,
) -> Result<(), sqlx::Error> {
    let mut transaction = within(limit, connection.begin()).await?;
    if !rows.orders.is_empty() {
        within(limit, orders(&rows.orders).execute(&mut *transaction)).await?;
    }
    if !rows.history.is_empty() {
        within(limit, history(&rows.history).execute(&mut *transaction)).await?;
    }
    if !rows.stock.is_empty() {
        within(limit, stock(&rows.stock).execute(&mut *transaction)).await?;
    }
    within(limit, checkpoints(checkpoint).execute(&mut *transaction)).await?;
    within(limit, transaction.commit()).await
}

/// One column of all rows.
fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn orders(rows: &[impl AsRef<Order>]) -> Statement {
    let rows = &column(rows, AsRef::as_ref);
    sqlx::query(UPSERT_ORDERS.as_str())
        .bind(column(rows, |order| order.id.as_uuid()))
        .bind(column(rows, |order| order.customer_id.as_str()))
        .bind(column(rows, |order| order.status.as_str()))
        .bind(column(rows, |order| integer(order.version)))
        .bind(column(rows, |order| order.currency.as_str()))
        .bind(column(rows, |order| order.total.map(|total| integer(total.0))))
        .bind(column(rows, |order| Json(&order.lines)))
        .bind(column(rows, |order| order.channel.as_deref().map(escaped)))
        .bind(column(rows, |order| order.notes.as_deref().map(escaped)))
        .bind(column(rows, |order| order.fail_reason.as_deref().map(escaped)))
        .bind(column(rows, |order| failures_of(order).map(Json)))
        .bind(column(rows, |order| order.idempotency_key.as_ref().map(|key| key.as_str())))
        .bind(column(rows, |order| order.placed_at.as_micros()))
        .bind(column(rows, |order| order.created_at.as_micros()))
        .bind(column(rows, |order| order.updated_at.as_micros()))
}

fn history(rows: &[HistoryEntry]) -> Statement {
    sqlx::query(INSERT_HISTORY.as_str())
        .bind(column(rows, |entry| entry.order_id.as_uuid()))
        .bind(column(rows, |entry| integer(entry.version)))
        .bind(column(rows, |entry| entry.change.kind()))
        .bind(column(rows, |entry| entry.status.as_str()))
        .bind(column(rows, |entry| entry.from.as_ref().map(|from| from.as_str())))
        .bind(column(rows, |entry| entry.at.as_micros()))
        .bind(column(rows, |entry| entry.by.role.as_str()))
        .bind(column(rows, |entry| escaped(&entry.by.subject)))
        .bind(column(rows, |entry| entry.reason.as_deref().map(escaped)))
        .bind(column(rows, |entry| integer(entry.cause.0)))
}

fn stock(rows: &[StockItem]) -> Statement {
    sqlx::query(UPSERT_STOCK.as_str())
        .bind(column(rows, |item| item.sku.as_str()))
        .bind(column(rows, |item| integer(item.version.0)))
        .bind(column(rows, |item| integer(item.levels.received)))
        .bind(column(rows, |item| integer(item.levels.available)))
        .bind(column(rows, |item| integer(item.levels.reserved)))
        .bind(column(rows, |item| integer(item.levels.shipped)))
        .bind(column(rows, |item| integer(item.levels.written_off)))
        .bind(column(rows, |item| item.name.as_deref().map(escaped)))
        .bind(column(rows, |item| item.unit_price.map(|price| integer(price.0))))
        .bind(column(rows, |item| item.currency.as_ref().map(|currency| currency.as_str())))
}

fn checkpoints(checkpoint: &Checkpoint) -> Statement {
    let rows = &checkpoint.0.iter().collect::<Vec<_>>();
    sqlx::query(UPSERT_CHECKPOINTS.as_str())
        .bind(column(rows, |(at, _)| at.topic.as_str()))
        .bind(column(rows, |(at, _)| i64::from(at.partition.0)))
        .bind(column(rows, |(_, mark)| integer(mark.next.0)))
        .bind(column(rows, |(_, mark)| integer(mark.number)))
        .bind(column(rows, |(_, mark)| integer(mark.unreadable)))
        .bind(column(rows, |(_, mark)| mark.cause.map(|cause| integer(cause.0))))
}
