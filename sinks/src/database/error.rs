//! Why a database did not do what it was asked, and what that means for a sink.

use crate::contract::SinkError;

/// Why an operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A newer program has changed the tables.
    #[error(
        "the database has schema version {found}, this program knows up to {known}; use the newer program, or another \
         database, which will be filled from the log"
    )]
    Newer {
        /// The version it has.
        found: i64,
        /// The newest version this program knows.
        known: i64,
    },
    /// The tables could not be created or upgraded.
    #[error("{path}: the schema cannot be applied: {source}")]
    Schema {
        /// The database.
        path: String,
        /// What is wrong.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// The database refused or failed.
    #[error("{operation}: {source}")]
    Query {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A stored value is not what this program writes.
    #[error("a row of {table} holds an invalid {column}: {reason}")]
    Damaged {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl DatabaseError {
    /// Names the operation that failed; for `map_err`.
    pub(super) fn query(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { operation, source }
    }
}

/// What SQLite calls "not now": the primary result codes after which the same statement may succeed.
/// BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, PROTOCOL.
const SQLITE_TRANSIENT: [u32; 7] = [5, 6, 7, 9, 10, 13, 15];

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse::<u32>().ok());
            code.is_some_and(|code| SQLITE_TRANSIENT.contains(&(code & 0xff)))
        }
        _ => false,
    }
}

impl From<DatabaseError> for SinkError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Query { operation, source } if is_transient(&source) => {
                Self::Retry { operation, source: source.into() }
            }
            DatabaseError::Query { operation, source } => Self::Stop { operation, source: source.into() },
            other => Self::Stop { operation: "use the database", source: other.into() },
        }
    }
}
