//! Reading over read-only connections. Each statement sees whole batches only.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use compact_str::CompactString;
use futures_util::TryStreamExt;
use serde::de::DeserializeOwned;
use sqlx::{AssertSqlSafe, Row as _, sqlite::SqliteRow, types::Json};
use uuid::Uuid;

use super::{SqliteSettings, pool::Pool, schema};
use crate::{
    DatabaseError,
    error::lacks_tables,
    sql::{Row, Select, SqlDatabase, Value, Visit},
};

/// The reads of the database over SQLite. Clones share the connections.
///
/// Reads of single objects and reads of lists have separate connections, so that expensive lists, however many, never
/// keep an order from being read. Each query has a time limit, after which it is interrupted.
#[derive(Clone, Debug)]
pub struct SqliteReader {
    points: Arc<Pool>,
    lists: Arc<Pool>,
    read_within: Duration,
}

impl SqliteReader {
    /// Opens a database that [`super::SqliteSink::open`] has prepared.
    pub async fn open(path: &Path, settings: &SqliteSettings) -> Result<Self, DatabaseError> {
        let options = schema::options(path, settings, settings.read_cache_bytes).read_only(true);
        let acquire_within = Duration::from_millis(settings.acquire_ms_max);
        let pool = async |connections| {
            let pool = Pool::open(options.clone(), connections, acquire_within).await;
            pool.map(Arc::new).map_err(DatabaseError::query("open the database to read"))
        };
        let (points, lists) = (pool(settings.point_readers).await?, pool(settings.list_readers).await?);
        Ok(Self { points, lists, read_within: Duration::from_millis(settings.read_ms_max) })
    }
}

#[async_trait]
impl SqlDatabase for SqliteReader {
    type Row = SqliteRow;

    const NAME: &'static str = "sqlite";

    async fn fetch(&self, select: Select, operation: &'static str) -> Result<Vec<SqliteRow>, DatabaseError> {
        let pool = if select.is_list() { &self.lists } else { &self.points };
        let (text, values) = select.into_parts();
        // The text is made of constants and marks only: see `Select::push`.
        let mut query = sqlx::query(AssertSqlSafe(text));
        for value in values {
            query = match value {
                Value::Id(id) => query.bind(id.as_uuid()),
                Value::Text(text) => query.bind(text),
                Value::Texts(_) => unreachable!("`push_texts` binds them one by one"),
                Value::Integer(number) => query.bind(number),
            };
        }
        let mut lease =
            pool.acquire(Some(self.read_within)).await.map_err(DatabaseError::query(operation))?;
        let rows = query.fetch_all(lease.connection()).await;
        lease.release(rows).map_err(|error| match lacks_tables(&error) {
            true => DatabaseError::NoTables,
            false => DatabaseError::query(operation)(error),
        })
    }

    async fn for_each_row(
        &self,
        text: &'static str,
        visit: Visit<'_, SqliteRow>,
    ) -> Result<(), DatabaseError> {
        let query = DatabaseError::query;
        let mut lease = self.lists.acquire(None).await.map_err(query("read a whole table"))?;
        let outcome = async {
            let mut rows = sqlx::query(text).fetch(lease.connection());
            while let Some(row) = rows.try_next().await.map_err(query("read a whole table"))? {
                visit(&row)?;
            }
            Ok(())
        };
        outcome.await?;
        lease.release(Ok(())).map_err(query("read a whole table"))
    }

    async fn disconnect(&self) {
        self.points.close().await;
        self.lists.close().await;
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
