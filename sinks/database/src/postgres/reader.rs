//! Reading: a pool of read-only connections behind a circuit breaker. Each statement sees whole batches only.
//!
//! Whole tables are read over a connection of their own, without a time limit.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use futures_util::TryStreamExt;
use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgArguments, PgPoolOptions, PgRow},
    query::Query,
};

use super::{
    PostgresSettings,
    breaker::Breaker,
    connect::{self, Purpose, within},
};
use crate::{
    DatabaseError,
    error::{is_unreachable, lacks_tables},
    sql::{Select, SqlDatabase, Value, Visit},
};

/// How long a connection may have been idle to be used without asking the server whether it still exists.
const IDLE_TRUSTED: Duration = Duration::from_secs(1);
/// How long after the server's own time limit an answer may still come before the server counts as unavailable.
const ANSWER_GRACE: Duration = Duration::from_secs(1);

/// The reads of the database over Postgres. Clones share the pool.
#[derive(Clone)]
pub struct PostgresReader {
    pool: PgPool,
    breaker: Breaker,
    url: Arc<str>,
    settings: Arc<PostgresSettings>,
}

impl fmt::Debug for PostgresReader {
    /// Omits the URL, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresReader").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl PostgresReader {
    /// Opens a database that [`super::PostgresSink::open`] has prepared.
    pub async fn open(url: &str, settings: &PostgresSettings) -> Result<Self, DatabaseError> {
        // One connection is opened first: for a wrong password, a pool would only report that time ran out.
        let first = connect::connect(url, settings, Purpose::Read).await?;
        connect::check_version(first.server_version_num())?;
        first.close().await.map_err(DatabaseError::query("close the first connection"))?;
        Self::unconnected(url, settings)
    }

    /// Makes a reader without connecting: the server may be unavailable, and the tables may not exist yet.
    pub fn unconnected(url: &str, settings: &PostgresSettings) -> Result<Self, DatabaseError> {
        let pool = PgPoolOptions::new()
            .max_connections(settings.readers)
            .acquire_timeout(Duration::from_millis(settings.acquire_ms_max))
            .test_before_acquire(false)
            .before_acquire(|connection, state| {
                Box::pin(async move {
                    if state.idle_for > IDLE_TRUSTED {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .connect_lazy_with(connect::options(url, settings, Purpose::Read)?);
        let open = Duration::from_millis(settings.breaker_open_ms);
        let breaker = Breaker::new(settings.breaker_failures, open);
        Ok(Self { pool, breaker, url: url.into(), settings: Arc::new(settings.clone()) })
    }

    async fn run(&self, select: Select) -> Result<Vec<PgRow>, sqlx::Error> {
        let mut lease = Lease(Some(self.pool.acquire().await?));
        let limit = Duration::from_millis(self.settings.read_ms_max) + ANSWER_GRACE;
        let rows = within(limit, query(select).fetch_all(lease.connection())).await?;
        lease.give_back();
        Ok(rows)
    }
}

/// A connection of the pool. If it is dropped before it is given back, it is closed at once. The pool would otherwise
/// ask the server for its state, after an error or in the middle of an answer, and with a dead server that waits for
/// the full time limit.
struct Lease(Option<PoolConnection<Postgres>>);

impl Lease {
    fn connection(&mut self) -> &mut PgConnection {
        self.0.as_mut().expect("it is taken out only when it is given back")
    }

    fn give_back(mut self) {
        self.0 = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        drop(self.0.take().map(PoolConnection::detach));
    }
}

pub(super) fn query(select: Select) -> Query<'static, Postgres, PgArguments> {
    let (text, values) = select.into_parts();
    // The text is made of constants and marks only: see `Select::push`.
    let mut query = sqlx::query(AssertSqlSafe(text));
    for value in values {
        query = match value {
            Value::Id(id) => query.bind(id.as_uuid()),
            Value::Text(text) => query.bind(text),
            Value::Texts(texts) => query.bind(texts),
            Value::Integer(number) => query.bind(number),
        };
    }
    query
}

#[async_trait]
impl SqlDatabase for PostgresReader {
    type Row = PgRow;

    const NAME: &'static str = "postgres";

    async fn fetch(&self, select: Select, operation: &'static str) -> Result<Vec<PgRow>, DatabaseError> {
        let call = self.breaker.call(Instant::now());
        let call = call.map_err(|retry_after| DatabaseError::Unavailable { retry_after })?;
        let read = self.run(select).await;
        match &read {
            Err(error) if is_unreachable(error) => call.failed(Instant::now()),
            _ => call.succeeded(),
        }
        match read {
            Err(error) if lacks_tables(&error) => Err(DatabaseError::NoTables),
            read => read.map_err(DatabaseError::query(operation)),
        }
    }

    async fn for_each_row(&self, text: &'static str, visit: Visit<'_, PgRow>) -> Result<(), DatabaseError> {
        let mut connection = connect::connect(&self.url, &self.settings, Purpose::Audit).await?;
        let mut rows = sqlx::query(text).fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(DatabaseError::query("read a whole table"))? {
            visit(&row)?;
        }
        Ok(())
    }

    async fn disconnect(&self) {
        self.pool.close().await;
    }

    fn push_texts(select: &mut Select, texts: Vec<String>) {
        select.push("= ANY(").bind(Value::Texts(texts)).push(")");
    }
}
