//! The errors of the store.

use orderflow_web::Problem;

/// Why an operation on the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is busy or is full. The same operation may succeed later.
    #[error("the store of accounts is away: {0}")]
    Away(#[source] sqlx::Error),
    /// A value that must be unique is in the store already.
    #[error("an account has this already: {0}")]
    Conflict(#[source] sqlx::Error),
    /// The store refused a statement for another reason.
    #[error("the store of accounts failed: {0}")]
    Failed(#[source] sqlx::Error),
    /// The tables cannot be created or upgraded.
    #[error("the tables of accounts cannot be made: {0}")]
    Migrate(#[source] Box<sqlx::migrate::MigrateError>),
    /// A stored value is not one that this program writes.
    #[error("a row of the store of accounts has no valid {0}")]
    Damaged(&'static str),
}

impl StoreError {
    /// Whether the same operation may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

/// Classes of Postgres's SQLSTATEs after which the same statement may succeed: connections, refused sessions, rolled
/// back transactions, resources, the system, a read-only standby, locks, time limits, shutdowns.
const POSTGRES_AWAY: [&str; 9] = ["08", "28", "40", "53", "58", "25006", "55P03", "57014", "57P"];
/// The primary result codes of SQLite that mean "not now": BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, CANTOPEN.
const SQLITE_AWAY: [u32; 7] = [5, 6, 7, 9, 10, 13, 14];

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(answer) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed => Self::Away(error),
                _ => Self::Failed(error),
            };
        };
        if answer.is_unique_violation() {
            return Self::Conflict(error);
        }
        let code = answer.code().unwrap_or_default();
        let is_away = if answer.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
            POSTGRES_AWAY.iter().any(|class| code.starts_with(class))
        } else {
            code.parse::<u32>().is_ok_and(|code| SQLITE_AWAY.contains(&(code & 0xff)))
        };
        if is_away { Self::Away(error) } else { Self::Failed(error) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if !error.is_transient() {
            return Self::internal(error);
        }
        tracing::warn!(%error, "a request about accounts cannot be answered");
        Self::unavailable("accounts-unavailable", "accounts cannot be read or changed now", 1)
    }
}
