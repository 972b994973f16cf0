//! A pool of reading connections, with a time limit for each query.
//!
//! SQLite runs a query to its end even if no task waits for it: dropping a future stops nothing. Every connection
//! therefore has a progress handler, which checks a deadline and interrupts the query that has passed it. The deadline
//! of a query that was given up is in the past at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions, Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tokio::sync::{Semaphore, SemaphorePermit};

/// The number of steps of SQLite's virtual machine between two checks of the deadline: some ten microseconds.
const STEPS_PER_LOOK: i32 = 1_000;

/// The time at which the query of one connection must end.
#[derive(Debug)]
struct Deadline {
    started: Instant,
    /// The deadline in microseconds since `started`; `u64::MAX` if there is none.
    at: AtomicU64,
}

impl Deadline {
    fn new() -> Self {
        Self { started: Instant::now(), at: AtomicU64::new(u64::MAX) }
    }

    fn set(&self, within: Option<Duration>) {
        let at = within.map(|within| self.started.elapsed() + within);
        let micros = at.and_then(|at| u64::try_from(at.as_micros()).ok()).unwrap_or(u64::MAX);
        self.at.store(micros, Ordering::Relaxed);
    }

    fn has_passed(&self) -> bool {
        let at = self.at.load(Ordering::Relaxed);
        at != u64::MAX && self.started.elapsed().as_micros() >= u128::from(at)
    }
}

/// A connection and its deadline.
#[derive(Debug)]
struct Slot {
    connection: SqliteConnection,
    deadline: Arc<Deadline>,
    /// Whether the connection's last query was given up and may still run.
    is_abandoned: bool,
}

/// A pool with a fixed number of connections.
#[derive(Debug)]
pub(super) struct Pool {
    options: SqliteConnectOptions,
    size: u32,
    permits: Semaphore,
    idle: Mutex<Vec<Slot>>,
    acquire_within: Duration,
}

impl Pool {
    /// Opens `size` connections. A query waits for a free connection for at most `acquire_within`.
    pub(super) async fn open(
        options: SqliteConnectOptions,
        size: u32,
        acquire_within: Duration,
    ) -> Result<Self, sqlx::Error> {
        let permits = Semaphore::new(size as usize);
        let pool = Self { options, size, permits, idle: Mutex::default(), acquire_within };
        for _ in 0..size {
            let slot = pool.connect().await?;
            pool.idle().push(slot);
        }
        Ok(pool)
    }

    async fn connect(&self) -> Result<Slot, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        let deadline = Arc::new(Deadline::new());
        let seen = deadline.clone();
        connection.lock_handle().await?.set_progress_handler(STEPS_PER_LOOK, move || !seen.has_passed());
        Ok(Slot { connection, deadline, is_abandoned: false })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Slot>> {
        // Pushing and popping leave the list consistent.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a connection whose next query may take as long as `within`, or any time if `within` is `None`.
    /// [`sqlx::Error::PoolTimedOut`] if none becomes free in time.
    pub(super) async fn acquire(&self, within: Option<Duration>) -> Result<Lease<'_>, sqlx::Error> {
        let permit = tokio::time::timeout(self.acquire_within, self.permits.acquire()).await;
        let permit = permit.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let idle = self.idle().pop();
        let mut slot = match idle {
            Some(slot) => slot,
            None => self.connect().await?,
        };
        if slot.is_abandoned {
            // The ping is answered once the query that still runs has been interrupted.
            slot.connection.ping().await?;
        }
        slot.deadline.set(within);
        slot.is_abandoned = true;
        Ok(Lease { pool: self, slot: Some(slot), _permit: permit })
    }

    /// Waits for the reads in progress and closes all connections.
    pub(super) async fn close(&self) {
        // All permits together are free only when no read is in progress.
        let all = self.permits.acquire_many(self.size).await;
        self.permits.close();
        let slots = std::mem::take(&mut *self.idle());
        for slot in slots {
            if let Err(error) = slot.connection.close().await {
                tracing::debug!(%error, "a connection that read was not closed in order");
            }
        }
        drop(all);
    }
}

/// A connection in use. If it is dropped before it is released, its query is interrupted.
pub(super) struct Lease<'p> {
    pool: &'p Pool,
    slot: Option<Slot>,
    _permit: SemaphorePermit<'p>,
}

impl Lease<'_> {
    /// The connection, to run one query.
    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.slot.as_mut().expect("a lease has its connection until it is dropped").connection
    }

    /// Gives the connection back after its query, and returns the query's result.
    pub(super) fn release<T>(mut self, result: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        if matches!(result, Err(sqlx::Error::WorkerCrashed)) {
            // The next lease opens another connection.
            self.slot = None;
        }
        if let Some(slot) = &mut self.slot {
            slot.is_abandoned = false;
            slot.deadline.set(None);
        }
        result
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            if slot.is_abandoned {
                slot.deadline.set(Some(Duration::ZERO));
            }
            // The permit is given back after this, so the next lease finds the connection.
            self.pool.idle().push(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Row;

    use super::*;

    /// A query that would take many minutes.
    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000000) \
                           SELECT max(i) FROM n";

    async fn pool(size: u32) -> Pool {
        Pool::open(SqliteConnectOptions::new().in_memory(true), size, Duration::from_secs(600)).await.unwrap()
    }

    async fn run(pool: &Pool, within: Option<Duration>, text: &'static str) -> Result<i64, sqlx::Error> {
        let mut lease = pool.acquire(within).await?;
        let row = sqlx::query(text).fetch_one(lease.connection()).await;
        lease.release(row).map(|row| row.get(0))
    }

    fn is_interrupted(error: &sqlx::Error) -> bool {
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "9")
    }

    #[tokio::test]
    async fn a_query_that_takes_too_long_is_interrupted_and_its_connection_works_on() {
        let pool = pool(1).await;
        let error = run(&pool, Some(Duration::from_millis(50)), ENDLESS).await.unwrap_err();
        assert!(is_interrupted(&error), "{error}");
        assert_eq!(run(&pool, None, "SELECT 7").await.unwrap(), 7);
        assert_eq!(run(&pool, Some(Duration::from_secs(600)), "SELECT 8").await.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_query_that_nobody_waits_for_is_interrupted() {
        let pool = pool(1).await;
        let given_up = tokio::time::timeout(Duration::from_millis(50), run(&pool, None, ENDLESS)).await;
        assert!(given_up.is_err());
        // There is only one connection, so this query ends only because the other one has ended.
        assert_eq!(run(&pool, None, "SELECT 7").await.unwrap(), 7);
    }

    #[tokio::test]
    async fn who_finds_no_free_connection_is_told_in_time() {
        let options = SqliteConnectOptions::new().in_memory(true);
        let pool = Pool::open(options, 1, Duration::from_millis(20)).await.unwrap();
        let (slow, fast) =
            tokio::join!(run(&pool, Some(Duration::from_secs(1)), ENDLESS), run(&pool, None, "SELECT 7"),);
        assert!(is_interrupted(&slow.unwrap_err()));
        assert!(matches!(fast, Err(sqlx::Error::PoolTimedOut)));
    }

    #[tokio::test]
    async fn closing_waits_for_what_is_read_and_refuses_the_rest() {
        let pool = pool(2).await;
        let (read, ()) = tokio::join!(run(&pool, None, "SELECT 7"), pool.close());
        assert_eq!(read.unwrap(), 7);
        assert!(matches!(run(&pool, None, "SELECT 8").await, Err(sqlx::Error::PoolClosed)));
    }
}
