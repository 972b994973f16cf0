//! Reading: a pool of read-only connections. Each statement sees whole batches only.

use std::{path::Path, time::Duration};

use async_trait::async_trait;
use compact_str::CompactString;
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use sqlx::{
    AssertSqlSafe, Row as _, SqlitePool,
    sqlite::{SqlitePoolOptions, SqliteRow},
    types::Json,
};
use uuid::Uuid;

use super::{SqliteSettings, schema};
use crate::database::{
    DatabaseError,
    sql::{Row, Select, Store, Value, Visit},
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
}

#[async_trait]
impl Store for SqliteReader {
    type Row = SqliteRow;

    async fn fetch(&self, select: Select, operation: &'static str) -> Result<Vec<SqliteRow>, DatabaseError> {
        let (text, values) = select.into_parts();
        // Made of constants and marks only: see `Select::push`.
        let mut query = sqlx::query(AssertSqlSafe(text));
        for value in values {
            query = match value {
                Value::Id(id) => query.bind(id.as_uuid()),
                Value::Text(text) => query.bind(text),
                Value::Texts(_) => unreachable!("`push_texts` binds them one by one"),
                Value::Integer(number) => query.bind(number),
            };
        }
        query.fetch_all(&self.pool).await.map_err(DatabaseError::query(operation))
    }

    async fn for_each_row(
        &self,
        text: &'static str,
        visit: Visit<'_, SqliteRow>,
    ) -> Result<(), DatabaseError> {
        let mut rows = sqlx::query(text).fetch(&self.pool);
        while let Some(row) = rows.try_next().await.map_err(DatabaseError::query("read a whole table"))? {
            visit(&row)?;
        }
        Ok(())
    }

    async fn disconnect(&self) {
        self.pool.close().await;
    }

    fn push_texts(select: &mut Select, texts: Vec<String>) {
        select.push("IN (NULL");
        for text in texts {
            select.push(",").bind(Value::Text(text));
        }
        select.push(")");
    }
}

impl Row for SqliteRow {
    fn text(&self, column: &'static str) -> Result<Option<&str>, sqlx::Error> {
        self.try_get(column)
    }

    fn words(&self, column: &'static str) -> Result<Option<CompactString>, sqlx::Error> {
        Ok(self.text(column)?.map(CompactString::from))
    }

    fn integer(&self, column: &'static str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }

    fn id(&self, column: &'static str) -> Result<Uuid, sqlx::Error> {
        self.try_get(column)
    }

    fn json<T: DeserializeOwned + 'static>(&self, column: &'static str) -> Result<Option<T>, sqlx::Error> {
        Ok(self.try_get::<Option<Json<T>>, _>(column)?.map(|Json(value)| value))
    }
}
