//! Reading: a pool of read-only connections. Each statement sees whole batches only.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use orderflow_schemas::{Order, OrderId, Sku};
use sqlx::{
    QueryBuilder, Sqlite, SqlitePool,
    sqlite::{SqlitePoolOptions, SqliteRow},
};

use super::{SqliteSettings, convert::Columns, convert::integer, queries, schema};
use crate::{
    contract::Checkpoint,
    database::{Audit, Catalogue, DatabaseError, HistoryEntry, OrderFilter, Reader, Slice, Start, StockItem},
};

/// The reads of the database over SQLite. Clones share the pool.
#[derive(Clone, Debug)]
pub struct SqliteReader {
    pool: SqlitePool,
}

impl SqliteReader {
    /// Opens a database that [`super::SqliteSink::open`] has made.
    pub async fn open(path: &Path, settings: &SqliteSettings) -> Result<Self, DatabaseError> {
        let options = schema::options(path, settings, settings.read_cache_bytes).read_only(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(settings.readers)
            .acquire_timeout(Duration::from_millis(settings.acquire_ms_max))
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(DatabaseError::query("open the database to read"))?;
        Ok(Self { pool })
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn rows(
        &self,
        mut query: QueryBuilder<Sqlite>,
        operation: &'static str,
    ) -> Result<Vec<SqliteRow>, DatabaseError> {
        query.build().fetch_all(&self.pool).await.map_err(DatabaseError::query(operation))
    }

    async fn count(
        &self,
        query: QueryBuilder<Sqlite>,
        operation: &'static str,
    ) -> Result<u64, DatabaseError> {
        let rows = self.rows(query, operation).await?;
        rows.first().map_or(Ok(0), |row| Columns { table: "the count", row }.count("n"))
    }

    async fn for_each<T>(
        &self,
        sql: &'static str,
        read: fn(&SqliteRow) -> Result<T, DatabaseError>,
        visit: &mut (dyn FnMut(T) + Send),
    ) -> Result<(), DatabaseError> {
        let mut rows = sqlx::query(sql).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(DatabaseError::query("read a whole table"))? {
            visit(read(&row)?);
        }
        Ok(())
    }
}

fn order(row: &SqliteRow) -> Result<Order, DatabaseError> {
    Columns { table: "orders", row }.order()
}

fn history_entry(row: &SqliteRow) -> Result<HistoryEntry, DatabaseError> {
    Columns { table: "order_history", row }.history()
}

fn stock_item(row: &SqliteRow) -> Result<StockItem, DatabaseError> {
    Columns { table: "stock", row }.stock()
}

#[async_trait]
impl Reader for SqliteReader {
    async fn order(&self, id: OrderId) -> Result<Option<Order>, DatabaseError> {
        let id = id.as_uuid().into_bytes().to_vec();
        let query = sqlx::query("SELECT * FROM orders WHERE id = ?").bind(id);
        let row = query.fetch_optional(&self.pool).await.map_err(DatabaseError::query("read an order"))?;
        row.as_ref().map(order).transpose()
    }

    async fn orders(
        &self,
        filter: &OrderFilter,
        slice: &Slice<OrderId>,
    ) -> Result<Vec<Order>, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT * FROM orders");
        queries::push_filter(&mut query, filter);
        queries::push_order_start(&mut query, &slice.start, slice.limit);
        self.rows(query, "list orders").await?.iter().map(order).collect()
    }

    async fn count_orders(&self, filter: &OrderFilter) -> Result<u64, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT count(*) AS n FROM orders");
        queries::push_filter(&mut query, filter);
        self.count(query, "count orders").await
    }

    async fn history(&self, id: OrderId, slice: &Slice<u64>) -> Result<Vec<HistoryEntry>, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT * FROM order_history WHERE order_id = ");
        query.push_bind(id.as_uuid().into_bytes().to_vec());
        if let Start::After(version) = &slice.start {
            query.push(" AND version > ").push_bind(integer(*version));
        }
        query.push(" ORDER BY version");
        queries::push_limit(&mut query, &slice.start, slice.limit);
        self.rows(query, "read the history of an order").await?.iter().map(history_entry).collect()
    }

    async fn count_history(&self, id: OrderId) -> Result<u64, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT count(*) AS n FROM order_history WHERE order_id = ");
        query.push_bind(id.as_uuid().into_bytes().to_vec());
        self.count(query, "count the history of an order").await
    }

    async fn stock(&self, sku: &Sku) -> Result<Option<StockItem>, DatabaseError> {
        let query = sqlx::query("SELECT * FROM stock WHERE sku = ?").bind(sku.as_str().to_owned());
        let row = query.fetch_optional(&self.pool).await.map_err(DatabaseError::query("read a SKU"))?;
        row.as_ref().map(stock_item).transpose()
    }

    async fn stock_of(&self, skus: &[Sku]) -> Result<Vec<StockItem>, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT * FROM stock WHERE sku IN (");
        let mut names = query.separated(",");
        for sku in skus {
            names.push_bind(sku.as_str().to_owned());
        }
        query.push(")");
        self.rows(query, "read several SKUs").await?.iter().map(stock_item).collect()
    }

    async fn stocks(&self, which: Catalogue, slice: &Slice<Sku>) -> Result<Vec<StockItem>, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT * FROM stock");
        queries::push_catalogue(&mut query, which);
        if let Start::After(sku) = &slice.start {
            query.push(" AND sku > ").push_bind(sku.as_str().to_owned());
        }
        query.push(" ORDER BY sku");
        queries::push_limit(&mut query, &slice.start, slice.limit);
        self.rows(query, "list stock").await?.iter().map(stock_item).collect()
    }

    async fn count_stocks(&self, which: Catalogue) -> Result<u64, DatabaseError> {
        let mut query = QueryBuilder::new("SELECT count(*) AS n FROM stock");
        queries::push_catalogue(&mut query, which);
        self.count(query, "count stock").await
    }
}

#[async_trait]
impl Audit for SqliteReader {
    async fn checkpoint(&self) -> Result<Checkpoint, DatabaseError> {
        let connection = self.pool.acquire().await;
        queries::checkpoint(&mut *connection.map_err(DatabaseError::query("read the checkpoint"))?).await
    }

    async fn for_each_order(&self, visit: &mut (dyn FnMut(Order) + Send)) -> Result<(), DatabaseError> {
        self.for_each("SELECT * FROM orders ORDER BY id", order, visit).await
    }

    async fn for_each_history(
        &self,
        visit: &mut (dyn FnMut(HistoryEntry) + Send),
    ) -> Result<(), DatabaseError> {
        let sql = "SELECT * FROM order_history ORDER BY order_id, version";
        self.for_each(sql, history_entry, visit).await
    }

    async fn for_each_stock(&self, visit: &mut (dyn FnMut(StockItem) + Send)) -> Result<(), DatabaseError> {
        self.for_each("SELECT * FROM stock ORDER BY sku", stock_item, visit).await
    }
}
