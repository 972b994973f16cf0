//! The loader that uses COPY into temporary tables, then one statement a table that merges them.

use std::fmt::Write;

use orderflow_database::Rows;
use orderflow_sinks::Checkpoint;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::{CHECKPOINTS_CONFLICT, ORDERS_CONFLICT, STOCK_CONFLICT};
use crate::market::Outcome;

const TABLES: [(&str, &str); 4] = [
    ("orders", ORDERS_CONFLICT),
    ("order_history", "ON CONFLICT (order_id, version) DO NOTHING"),
    ("stock", STOCK_CONFLICT),
    ("checkpoints", CHECKPOINTS_CONFLICT),
];

pub async fn copy_and_merge(
    connection: &mut PgConnection,
    rows: &Rows,
    checkpoint: &Checkpoint,
) -> Outcome<()> {
    let texts = [orders(rows)?, history(rows)?, stock(rows)?, checkpoint_rows(checkpoint)?];
    for (table, _) in TABLES {
        // Does nothing once the table exists.
        let sql = format!("CREATE TEMP TABLE IF NOT EXISTS new_{table} (LIKE {table}) ON COMMIT DELETE ROWS");
        connection.execute(AssertSqlSafe(sql)).await?;
    }
    let mut transaction = connection.begin().await?;
    for ((table, conflict), text) in TABLES.into_iter().zip(texts) {
        let mut copy = transaction.copy_in_raw(&format!("COPY new_{table} FROM STDIN")).await?;
        copy.send(text.into_bytes()).await?;
        copy.finish().await?;
        let sql = format!("INSERT INTO {table} SELECT * FROM new_{table} {conflict}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *transaction).await?;
    }
    Ok(transaction.commit().await?)
}

/// A text in the form that COPY expects; NULL is `\N`.
fn text(value: Option<&str>) -> String {
    let Some(value) = value else { return "\\N".to_owned() };
    if !value.contains(['\\', '\t', '\n', '\r']) {
        return value.to_owned();
    }
    value.replace('\\', "\\\\").replace('\t', "\\t").replace('\n', "\\n").replace('\r', "\\r")
}

fn number(value: Option<u64>) -> String {
    value.map_or_else(|| "\\N".to_owned(), |value| value.to_string())
}

fn orders(rows: &Rows) -> Outcome<String> {
    let mut out = String::with_capacity(rows.orders.len() * 400);
    for order in &rows.orders {
        let failures = (!order.failures.is_empty()).then(|| serde_json::to_string(&order.failures));
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            order.id,
            text(Some(order.customer_id.as_str())),
            text(Some(order.status.as_str())),
            order.version,
            order.currency.as_ref().map_or("XXX", |currency| currency.as_str()),
            number(order.total.map(|total| total.0)),
            text(Some(&serde_json::to_string(&order.lines)?)),
            text(order.channel.as_deref()),
            text(order.notes.as_deref()),
            text(order.fail_reason.as_deref()),
            text(failures.transpose()?.as_deref()),
            text(order.idempotency_key.as_ref().map(|key| key.as_str())),
            order.placed_at.as_micros(),
            order.created_at.as_micros(),
            order.updated_at.as_micros(),
        )?;
    }
    Ok(out)
}

fn history(rows: &Rows) -> Outcome<String> {
    let mut out = String::with_capacity(rows.history.len() * 150);
    for entry in &rows.history {
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            entry.order_id,
            entry.version,
            entry.change.kind(),
            text(Some(entry.status.as_str())),
            text(entry.from.as_ref().map(|from| from.as_str())),
            entry.at.as_micros(),
            entry.by.role.as_str(),
            text(Some(&entry.by.subject)),
            text(entry.reason.as_deref()),
            entry.cause.0,
        )?;
    }
    Ok(out)
}

fn stock(rows: &Rows) -> Outcome<String> {
    let mut out = String::new();
    for item in &rows.stock {
        let levels = item.levels;
        writeln!(
            out,
            "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
            text(Some(item.sku.as_str())),
            item.version.0,
            levels.received,
            levels.available,
            levels.reserved,
            levels.shipped,
            levels.written_off,
            text(item.name.as_deref()),
            number(item.unit_price.map(|price| price.0)),
            text(item.currency.as_ref().map(|currency| currency.as_str())),
        )?;
    }
    Ok(out)
}

fn checkpoint_rows(checkpoint: &Checkpoint) -> Outcome<String> {
    let mut out = String::new();
    for (topic_partition, progress) in &checkpoint.0 {
        let (topic, partition) = (topic_partition.topic.as_str(), topic_partition.partition.0);
        let (next, number_, unreadable) = (progress.next.0, progress.number, progress.unreadable);
        let cause = number(progress.cause.map(|cause| cause.0));
        writeln!(out, "{topic}\t{partition}\t{next}\t{number_}\t{unreadable}\t{cause}")?;
    }
    Ok(out)
}
