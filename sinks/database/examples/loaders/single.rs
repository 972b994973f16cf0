//! The loader with one statement for all tables, their rows as arrays: one round trip a batch.

use orderflow_database::Rows;
use orderflow_schemas::Order;
use orderflow_sinks::Checkpoint;
use sqlx::{AssertSqlSafe, PgConnection};

use super::{
    CHECKPOINTS_CONFLICT, ORDERS_CONFLICT, STOCK_CONFLICT,
    unnest::{bind_checkpoint, bind_history, bind_orders, bind_stock},
};
use crate::market::Outcome;

pub async fn single_statement(
    connection: &mut PgConnection,
    rows: &Rows,
    checkpoint: &Checkpoint,
) -> Outcome<()> {
    let orders: Vec<&Order> = rows.orders.iter().map(|order| &**order).collect();
    let sql = format!(
        "WITH o AS (INSERT INTO orders SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::bigint[], \
         $5::text[], $6::bigint[], $7::text[]::json[], $8::text[], $9::text[], $10::text[], $11::text[]::json[], $12::text[], \
         $13::bigint[], $14::bigint[], $15::bigint[]) {ORDERS_CONFLICT}), \
         h AS (INSERT INTO order_history SELECT * FROM UNNEST($16::uuid[], $17::bigint[], $18::text[], \
         $19::text[], $20::text[], $21::bigint[], $22::text[], $23::text[], $24::text[], $25::bigint[]) \
         ON CONFLICT (order_id, version) DO NOTHING), \
         s AS (INSERT INTO stock SELECT * FROM UNNEST($26::text[], $27::bigint[], $28::bigint[], $29::bigint[], \
         $30::bigint[], $31::bigint[], $32::bigint[], $33::text[], $34::bigint[], $35::text[]) {STOCK_CONFLICT}) \
         INSERT INTO checkpoints SELECT * FROM UNNEST($36::text[], $37::bigint[], $38::bigint[], $39::bigint[], \
         $40::bigint[], $41::bigint[]) {CHECKPOINTS_CONFLICT}"
    );
    let statement = bind_orders(sqlx::query(AssertSqlSafe(sql)), &orders);
    let statement = bind_stock(bind_history(statement, &rows.history), &rows.stock);
    bind_checkpoint(statement, checkpoint).execute(connection).await?;
    Ok(())
}
