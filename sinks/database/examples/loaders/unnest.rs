//! The loader with one statement a table, its rows as arrays.

use orderflow_database::{HistoryEntry, Rows, StockItem};
use orderflow_schemas::Order;
use orderflow_sinks::Checkpoint;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, postgres::PgArguments, query::Query};

use super::{CHECKPOINTS_CONFLICT, ORDERS_CONFLICT, STOCK_CONFLICT};
use crate::market::Outcome;

type Statement = Query<'static, Postgres, PgArguments>;

pub async fn unnest(connection: &mut PgConnection, rows: &Rows, checkpoint: &Checkpoint) -> Outcome<()> {
    let orders: Vec<&Order> = rows.orders.iter().map(|order| &**order).collect();
    let mut transaction = connection.begin().await?;
    let sql = format!(
        "INSERT INTO orders SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::text[], \
         $6::bigint[], $7::text[]::json[], $8::text[], $9::text[], $10::text[], $11::text[]::json[], $12::text[], \
         $13::bigint[], $14::bigint[], $15::bigint[]) {ORDERS_CONFLICT}"
    );
    bind_orders(sqlx::query(AssertSqlSafe(sql)), &orders).execute(&mut *transaction).await?;
    let sql = "INSERT INTO order_history SELECT * FROM UNNEST($1::uuid[], $2::bigint[], $3::text[], $4::text[], \
               $5::text[], $6::bigint[], $7::text[], $8::text[], $9::text[], $10::bigint[]) \
               ON CONFLICT (order_id, version) DO NOTHING";
    bind_history(sqlx::query(sql), &rows.history).execute(&mut *transaction).await?;
    let sql = format!(
        "INSERT INTO stock SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
         $6::bigint[], $7::bigint[], $8::text[], $9::bigint[], $10::text[]) {STOCK_CONFLICT}"
    );
    if !rows.stock.is_empty() {
        bind_stock(sqlx::query(AssertSqlSafe(sql)), &rows.stock).execute(&mut *transaction).await?;
    }
    let sql = format!(
        "INSERT INTO checkpoints SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], \
         $5::bigint[], $6::bigint[]) {CHECKPOINTS_CONFLICT}"
    );
    bind_checkpoint(sqlx::query(AssertSqlSafe(sql)), checkpoint).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn json<T: serde::Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("lines and failures have string keys")
}

fn number(number: u64) -> i64 {
    number as i64
}

pub fn bind_orders(statement: Statement, rows: &[&Order]) -> Statement {
    statement
        .bind(column(rows, |order| order.id.as_uuid()))
        .bind(column(rows, |order| order.customer_id.as_str()))
        .bind(column(rows, |order| order.status.as_str()))
        .bind(column(rows, |order| number(order.version)))
        .bind(column(rows, |order| order.currency.map_or("XXX".to_owned(), |currency| currency.to_string())))
        .bind(column(rows, |order| order.total.map(|total| number(total.0))))
        .bind(column(rows, |order| json(&order.lines)))
        .bind(column(rows, |order| order.channel.as_deref()))
        .bind(column(rows, |order| order.notes.as_deref()))
        .bind(column(rows, |order| order.fail_reason.as_deref()))
        .bind(column(rows, |order| (!order.failures.is_empty()).then(|| json(&*order.failures))))
        .bind(column(rows, |order| order.idempotency_key.as_ref().map(|key| key.as_str())))
        .bind(column(rows, |order| order.placed_at.as_micros()))
        .bind(column(rows, |order| order.created_at.as_micros()))
        .bind(column(rows, |order| order.updated_at.as_micros()))
}

pub fn bind_history(statement: Statement, rows: &[HistoryEntry]) -> Statement {
    statement
        .bind(column(rows, |entry| entry.order_id.as_uuid()))
        .bind(column(rows, |entry| number(entry.version)))
        .bind(column(rows, |entry| entry.change.kind()))
        .bind(column(rows, |entry| entry.status.as_str()))
        .bind(column(rows, |entry| entry.from.as_ref().map(|from| from.as_str())))
        .bind(column(rows, |entry| entry.at.as_micros()))
        .bind(column(rows, |entry| entry.by.role.as_str()))
        .bind(column(rows, |entry| entry.by.subject.as_str()))
        .bind(column(rows, |entry| entry.reason.as_deref()))
        .bind(column(rows, |entry| number(entry.cause.0)))
}

pub fn bind_stock(statement: Statement, rows: &[StockItem]) -> Statement {
    statement
        .bind(column(rows, |item| item.sku.as_str()))
        .bind(column(rows, |item| number(item.version.0)))
        .bind(column(rows, |item| number(item.levels.received)))
        .bind(column(rows, |item| number(item.levels.available)))
        .bind(column(rows, |item| number(item.levels.reserved)))
        .bind(column(rows, |item| number(item.levels.shipped)))
        .bind(column(rows, |item| number(item.levels.written_off)))
        .bind(column(rows, |item| item.name.as_deref()))
        .bind(column(rows, |item| item.unit_price.map(|price| number(price.0))))
        .bind(column(rows, |item| item.currency.as_ref().map(|currency| currency.as_str())))
}

pub fn bind_checkpoint(statement: Statement, checkpoint: &Checkpoint) -> Statement {
    let rows = &checkpoint.0.iter().collect::<Vec<_>>();
    statement
        .bind(column(rows, |(topic_partition, _)| topic_partition.topic.as_str()))
        .bind(column(rows, |(topic_partition, _)| i64::from(topic_partition.partition.0)))
        .bind(column(rows, |(_, progress)| number(progress.next.0)))
        .bind(column(rows, |(_, progress)| number(progress.number)))
        .bind(column(rows, |(_, progress)| number(progress.unreadable)))
        .bind(column(rows, |(_, progress)| progress.cause.map(|cause| number(cause.0))))
}
