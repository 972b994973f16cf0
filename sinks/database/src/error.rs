//! Why a database did not do what it was asked, and what that means for a sink and for a reader.

use std::time::Duration;

use orderflow_schemas::{LogId, Offset, TopicPartition};
use orderflow_sinks::SinkError;

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
    /// The server is one that this program was never tried with.
    #[error("the server is Postgres {found}; {oldest} is the oldest that this program works with")]
    ServerTooOld {
        /// Its major version.
        found: u32,
        /// The oldest major version.
        oldest: u32,
    },
    /// The tables could not be created or upgraded.
    #[error("{path}: the schema cannot be applied: {source}")]
    Schema {
        /// The database.
        path: String,
        /// What is wrong.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// What SQLite wrote before could not be made durable, so nothing may be written behind it.
    #[error("{path}: cannot be made durable: {source}")]
    Wal {
        /// The WAL.
        path: String,
        /// What the disk said.
        source: std::io::Error,
    },
    /// The database refused or failed.
    #[error("{operation}: {source}")]
    Query {
        /// What was tried.
        operation: &'static str,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The server could not be reached a moment ago; it was not asked again.
    #[error("the database cannot be reached; it is tried again in {retry_after:?}")]
    Unavailable {
        /// When to try again.
        retry_after: Duration,
    },
    /// There are no tables, or not those of this version: the writing side makes them when it opens the database.
    #[error(
        "the database does not have the tables of this program yet; a server that starts on it makes them"
    )]
    NoTables,
    /// What was committed is gone: another server took over without it, or a backup was restored.
    #[error(
        "the database has lost what it had committed: {at} was at offset {committed} and is at {found}; restarted, \
         this program goes on from there"
    )]
    WentBack {
        /// The partition of events.
        at: TopicPartition,
        /// How far it was.
        committed: Offset,
        /// How far it is.
        found: Offset,
    },
    /// The rows come from another log.
    #[error(
        "the database holds the orders of the log {stored}, and this is the log {log}: they do not belong together; use \
         that log, or another database, which will be filled from this one"
    )]
    OtherLog {
        /// The log that the rows come from.
        stored: LogId,
        /// The log that was to be stored.
        log: LogId,
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

    /// Whether the same may succeed later: the database is busy, full, switching over or away.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Query { source, .. } => is_transient(source),
            Self::Unavailable { .. } | Self::NoTables | Self::Wal { .. } => true,
            Self::Newer { .. }
            | Self::ServerTooOld { .. }
            | Self::Schema { .. }
            | Self::WentBack { .. }
            | Self::OtherLog { .. }
            | Self::Damaged { .. } => false,
        }
    }

    /// Whether the server is away, so that a program that has just started may wait for it, rather than refusing what
    /// it was told: a user, a password, a certificate.
    pub fn is_away(&self) -> bool {
        match self {
            Self::Query { source: sqlx::Error::Tls(_), .. } => false,
            Self::Query { source: sqlx::Error::Database(error), .. } => {
                let code = error.code();
                code.is_some_and(|code| is_one_of(&POSTGRES_UNREACHABLE, &code) && !code.starts_with("28"))
            }
            Self::Query { source, .. } => is_unreachable(source),
            Self::Unavailable { .. } => true,
            _ => false,
        }
    }
}

/// What SQLite calls "not now": the primary result codes after which the same statement may succeed.
/// BUSY, LOCKED, NOMEM, INTERRUPT, IOERR, FULL, PROTOCOL.
const SQLITE_TRANSIENT: [u32; 7] = [5, 6, 7, 9, 10, 13, 15];

/// Classes of Postgres's SQLSTATEs, or single ones, after which the same statement may succeed: connections (08),
/// transactions rolled back because of others (40), resources such as disk, memory and connections (53), the system
/// around the server (58); a server that is read-only during a switch-over, a transaction the server ended for
/// idleness or age, a lock that others hold, a time limit, a shutdown, a crash, a start.
///
/// Logging in (28) is among them: at run time it has worked before with the same password, so the server's side
/// changed and may change back, and while ingest goes on nothing is lost by trying. What a program is started with is
/// not tried twice. A database (3D000), a table or a right that is missing is not among them.
const POSTGRES_TRANSIENT: [&str; 14] = [
    "08", "28", "40", "53", "58", "25006", "25P03", "25P04", "55P03", "57014", "57P01", "57P02", "57P03",
    "57P05",
];

/// Those of them that say no session can be had or that this one has ended.
const POSTGRES_UNREACHABLE: [&str; 7] = ["08", "28", "53300", "57P01", "57P02", "57P03", "57P05"];

fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            if error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some() {
                return is_one_of(&POSTGRES_TRANSIENT, &code);
            }
            code.parse::<u32>().is_ok_and(|code| SQLITE_TRANSIENT.contains(&(code & 0xff)))
        }),
        _ => false,
    }
}

/// Whether the error says that there is no such table or column.
pub(super) fn lacks_tables(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    // SQLite has no code of its own for it.
    let is_missing = |code: &str| code == "1" && error.message().starts_with("no such ");
    error.code().is_some_and(|code| matches!(&*code, "42P01" | "42703") || is_missing(&code))
}

/// Whether the error says that Postgres is away, rather than what it thinks of a statement.
pub(super) fn is_unreachable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => {
            error.code().is_some_and(|code| is_one_of(&POSTGRES_UNREACHABLE, &code))
        }
        _ => false,
    }
}

fn is_one_of(classes: &[&str], code: &str) -> bool {
    classes.iter().any(|class| code.starts_with(class))
}

impl From<DatabaseError> for SinkError {
    fn from(error: DatabaseError) -> Self {
        let is_transient = error.is_transient();
        match error {
            DatabaseError::Query { operation, source } if is_transient => {
                Self::Retry { operation, source: source.into() }
            }
            DatabaseError::Query { operation, source } => Self::Stop { operation, source: source.into() },
            DatabaseError::Wal { .. } => Self::Retry { operation: "open the database", source: error.into() },
            other => Self::Stop { operation: "use the database", source: other.into() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_of_postgres_are_told_apart() {
        for code in [
            "08006", "28P01", "40001", "40P01", "53100", "53300", "25006", "55P03", "57014", "57P03", "58030",
        ] {
            assert!(is_one_of(&POSTGRES_TRANSIENT, code), "{code} may pass");
        }
        for code in ["3D000", "42P01", "42501", "22021", "23502", "54000", "0A000", "XX001"] {
            assert!(!is_one_of(&POSTGRES_TRANSIENT, code), "{code} stays");
        }
        for code in POSTGRES_UNREACHABLE {
            assert!(is_one_of(&POSTGRES_TRANSIENT, code), "{code} is no reason to give up");
        }
    }

    #[test]
    fn a_server_that_is_away_is_tried_again_and_a_lost_table_is_not() {
        let away = DatabaseError::query("x")(sqlx::Error::PoolTimedOut);
        assert!(matches!(SinkError::from(away), SinkError::Retry { .. }));
        assert!(DatabaseError::query("x")(sqlx::Error::PoolTimedOut).is_away());
        assert!(!DatabaseError::query("x")(sqlx::Error::Tls("no trust".into())).is_away());
        let damaged = DatabaseError::Damaged { table: "t", column: "c", reason: String::new() };
        assert!(!damaged.is_transient() && !damaged.is_away());
        assert!(matches!(SinkError::from(damaged), SinkError::Stop { .. }));
    }
}
