//! One statement for each batch: the rows of each table as arrays, one array a column, and the checkpoint.
//!
//! A statement is a transaction of its own. Its parts have the same order in every process, with rows sorted by their
//! keys, so two processes that write the same rows wait for each other. Measured beside the sink on a busy machine with
//! two cores (`examples/postgres_loader.rs`), hand-written loaders reached these rows a second with batches of 500 /
//! 5,000 events: one statement a table in a transaction, 22k / 44k; one statement for all tables, 27k / 54k, since it
//! takes one round trip instead of six; COPY into temporary tables and a merge, 6k / 39k, since it writes everything
//! twice. The sink: 24k / 45k.

use std::sync::LazyLock;

use orderflow_schemas::{Order, Timestamp};
use orderflow_sinks::Checkpoint;
use serde::Serialize;
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};

use super::text::escaped;
use crate::{
    HistoryEntry, Rows, ShipmentEntry, StockItem,
    sql::{
        CHECKPOINTS, ORDER_HISTORY, ORDERS, SHIPMENT_EVENTS, STOCK, Table, currency_of, failures_of, integer,
        returned_of,
    },
};

type Statement = Query<'static, Postgres, PgArguments>;

/// The statement that writes all tables. It is made of constants.
static WRITE: LazyLock<String> = LazyLock::new(|| {
    let mut bound = 0;
    let [orders, history, shipments, stock, checkpoints] =
        [&ORDERS, &ORDER_HISTORY, &SHIPMENT_EVENTS, &STOCK, &CHECKPOINTS]
            .map(|table| upsert(table, &mut bound));
    format!(
        "WITH written_orders AS ({orders}), written_history AS ({history}), written_shipments AS ({shipments}), \
         written_stock AS ({stock}) {checkpoints}"
    )
});

/// The upsert of a table. `bound` counts the values that are bound in the statement so far.
fn upsert(table: &Table, bound: &mut usize) -> String {
    let array = |(_, kind): &(_, &str)| {
        *bound += 1;
        format!("${bound}::{kind}[]")
    };
    let arrays: Vec<_> = table.columns.iter().map(array).collect();
    format!("{} SELECT * FROM UNNEST({}) {}", table.insert(), arrays.join(", "), table.conflict)
}

/// Writes the rows and the checkpoint, or nothing. After an error or a dropped call, the connection must not be used
/// again.
pub(super) async fn write(
    connection: &mut PgConnection,
    rows: &Rows,
    checkpoint: &Checkpoint,
) -> Result<(), sqlx::Error> {
    let statement = bind_orders(sqlx::query(WRITE.as_str()), &rows.orders);
    let statement = bind_history(statement, &rows.history);
    let statement = bind_shipments(statement, &rows.shipments);
    let statement = bind_stock(statement, &rows.stock);
    bind_checkpoint(statement, checkpoint).execute(connection).await?;
    Ok(())
}

/// The value as text that the server casts. If it were bound as JSON, the server would take it for `jsonb` and parse it
/// for that first.
fn json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("lines and failures have string keys")
}

/// The values of one column, for all rows.
fn column<'r, R, T>(rows: &'r [R], value: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

fn bind_orders(statement: Statement, rows: &[impl AsRef<Order>]) -> Statement {
    let rows = &column(rows, AsRef::as_ref);
    statement
        .bind(column(rows, |order| order.id.as_uuid()))
        .bind(column(rows, |order| order.customer_id.as_str()))
        .bind(column(rows, |order| order.status.as_str()))
        .bind(column(rows, |order| integer(order.version)))
        .bind(column(rows, |order| currency_of(order)))
        .bind(column(rows, |order| order.total.map(|total| integer(total.0))))
        .bind(column(rows, |order| json(&order.lines)))
        .bind(column(rows, |order| order.channel.as_deref().map(escaped)))
        .bind(column(rows, |order| order.notes.as_deref().map(escaped)))
        .bind(column(rows, |order| order.fail_reason.as_deref().map(escaped)))
        .bind(column(rows, |order| failures_of(order).map(json)))
        .bind(column(rows, |order| order.idempotency_key.as_ref().map(|key| key.as_str())))
        .bind(column(rows, |order| order.placed_at.as_micros()))
        .bind(column(rows, |order| order.created_at.as_micros()))
        .bind(column(rows, |order| order.updated_at.as_micros()))
        .bind(column(rows, |order| order.reserve_for.map(i64::from)))
        .bind(column(rows, |order| order.courier_id.as_deref().map(escaped)))
        .bind(column(rows, |order| order.acted_by.as_deref().map(escaped)))
        .bind(column(rows, |order| order.acted_at.map(Timestamp::as_micros)))
        .bind(column(rows, |order| returned_of(order).map(json)))
}

fn bind_history(statement: Statement, rows: &[HistoryEntry]) -> Statement {
    statement
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

fn bind_shipments(statement: Statement, rows: &[ShipmentEntry]) -> Statement {
    statement
        .bind(column(rows, |entry| entry.order_id.as_uuid()))
        .bind(column(rows, |entry| integer(entry.offset.0)))
        .bind(column(rows, |entry| entry.at.as_micros()))
        .bind(column(rows, |entry| entry.event.status.as_str()))
        .bind(column(rows, |entry| entry.event.carrier.as_deref().map(escaped)))
        .bind(column(rows, |entry| entry.event.tracking_number.as_deref().map(escaped)))
        .bind(column(rows, |entry| entry.event.location.as_deref().map(escaped)))
        .bind(column(rows, |entry| entry.event.occurred_at.map(Timestamp::as_micros)))
        .bind(column(rows, |entry| entry.event.event_id.as_deref().map(escaped)))
        .bind(column(rows, |entry| entry.by.role.as_str()))
        .bind(column(rows, |entry| escaped(&entry.by.subject)))
}

fn bind_stock(statement: Statement, rows: &[StockItem]) -> Statement {
    statement
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

fn bind_checkpoint(statement: Statement, checkpoint: &Checkpoint) -> Statement {
    let rows = &checkpoint.0.iter().collect::<Vec<_>>();
    statement
        .bind(column(rows, |(topic_partition, _)| topic_partition.topic.as_str()))
        .bind(column(rows, |(topic_partition, _)| i64::from(topic_partition.partition.0)))
        .bind(column(rows, |(_, progress)| integer(progress.next.0)))
        .bind(column(rows, |(_, progress)| integer(progress.number)))
        .bind(column(rows, |(_, progress)| integer(progress.unreadable)))
        .bind(column(rows, |(_, progress)| progress.cause.map(|cause| integer(cause.0))))
}
