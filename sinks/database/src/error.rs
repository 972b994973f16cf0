//! The errors of a database, and what they mean for a sink and for a reader.

use std::time::Duration;

use orderflow_schemas::{LogId, Offset, TopicPartition};
use orderflow_sinks::SinkError;

/// Why an operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A newer program has migrated the tables.
    #[error(
        "the database has schema version {found}, this program knows up to {known}; use the newer program, or another \
         database, which will be filled from the log"
    )]
    Newer {
        /// The schema version of the database.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// The server's version is older than any that this program is tested with.
    #[error("the server is Postgres {found}; {oldest} is the oldest that this program works with")]
    ServerTooOld {
        /// The major version of the server.
        found: u32,
        /// The oldest major version that this program works with.
        oldest: u32,
    },
    /// The tables could not be created or upgraded.
    #[error("{path}: the schema cannot be applied: {source}")]
    Schema {
        /// The database, for messages: the path of the file, or schema, database and host.
        path: String,
        /// The error of the migration.
        source: Box<sqlx::migrate::MigrateError>,
    },
    /// What SQLite wrote earlier could not be made durable, so nothing may be written after it.
    #[error("{path}: cannot be made durable: {source}")]
    Wal {
        /// The path of the WAL.
        path: String,
        /// The error of the disk.
        source: std::io::Error,
    },
    /// A statement or a connection failed.
    #[error("{operation}: {source}")]
    Query {
        /// The operation that failed.
        operation: &'static str,
        /// The error of the database or its driver.
        source: sqlx::Error,
    },
    /// The server could not be reached a moment ago, and was not asked again.
    #[error("the database cannot be reached; it is tried again in {retry_after:?}")]
    Unavailable {
        /// The time until the next attempt.
        retry_after: Duration,
    },
    /// The tables are missing or of another version. The writing side creates them when it opens the database.
    #[error(
        "the database does not have the tables of this program yet; a server that starts on it makes them"
    )]
    NoTables,
    /// Committed rows are gone: a standby took over without them, or a backup was restored.
    #[error(
        "the database has lost what it had committed: {topic_partition} was at offset {committed} and is at {found}; restarted, \
         this program goes on from there"
    )]
    WentBack {
        /// The partition of events whose checkpoint went back.
        topic_partition: TopicPartition,
        /// The offset that was committed, to read from next.
        committed: Offset,
        /// The offset in the checkpoint that was found.
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
        /// The log that the sink was to store.
        log: LogId,
    },
    /// A stored value is not one that this program writes.
    #[error("a row of {table} holds an invalid {column}: {reason}")]
    Damaged {
        /// The name of the table.
        table: &'static str,
        /// The name of the column.
        column: &'static str,
        /// The reason why the value is invalid.
        reason: String,
    },
}

impl DatabaseError {
    /// Adds the name of the failed operation to an error; for `map_err`.
    pub(super) fn query(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Query { operation, source }
    }

    /// Whether the same operation may succeed later: the database is busy, full, switching over or unavailable.
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

    /// Whether the server is unavailable, so that a program that has just started may wait for it. False if the server
    /// refused what the program was configured with: a user, a password, a certificate.
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

/// The primary result codes of SQLite that mean "not now": the same statement may succeed later. BUSY, LOCKED, NOMEM,
/// INTERRUPT, IOERR, FULL, PROTOCOL.
const SQLITE_TRANSIENT: [u32; 7] = [5, 6, 7, 9, 10, 13, 15];

/// Classes of Postgres's SQLSTATEs, or single ones, after which the same statement may succeed: connections (08),
/// transactions rolled back because of others (40), resources such as disk, memory and connections (53), the system
/// around the server (58); a server that is read-only during a switch-over, a transaction that the server ended for
/// idleness or age, a lock that another session holds, a time limit, a shutdown, a crash, a start.
///
/// Authentication (28) is among them. At run time the same password has worked before, so the server's side changed and
/// may change back; while ingest continues, nothing is lost by trying. At the start of a program, refused credentials
/// are not tried twice. A missing database (3D000), table or privilege is not among them.
const POSTGRES_TRANSIENT: [&str; 14] = [
    "08", "28", "40", "53", "58", "25006", "25P03", "25P04", "55P03", "57014", "57P01", "57P02", "57P03",
    "57P05",
];

/// Those of [`POSTGRES_TRANSIENT`] that mean that no session is available or that this session has ended.
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

/// Whether the error means that a table or a column does not exist.
pub(super) fn lacks_tables(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    // SQLite has no error code of its own for this.
    let is_missing = |code: &str| code == "1" && error.message().starts_with("no such ");
    error.code().is_some_and(|code| matches!(&*code, "42P01" | "42703") || is_missing(&code))
}

/// Whether the error means that Postgres is unavailable, rather than that it refused a statement.
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
