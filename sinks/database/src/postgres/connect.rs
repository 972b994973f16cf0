//! Connecting: the settings of a session, its time limits, and the versions of servers that are refused.

use std::{str::FromStr, time::Duration};

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};

use super::PostgresSettings;
use crate::DatabaseError;

/// The oldest major version of Postgres that has all features used here and that should still be in use.
pub const OLDEST_SERVER: u32 = 13;

/// The purpose of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Creating and upgrading the tables.
    Migrate,
    /// Applying batches.
    Write,
    /// The reads of the API.
    Read,
    /// Reading whole tables.
    Audit,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Migrate => "orderflow migrate",
            Self::Write => "orderflow sink",
            Self::Read => "orderflow reader",
            Self::Audit => "orderflow audit",
        }
    }

    /// The time limit of a statement in milliseconds; 0 means none.
    fn statement_ms_max(self, settings: &PostgresSettings) -> u64 {
        match self {
            Self::Migrate | Self::Audit => 0,
            Self::Write => settings.write_ms_max,
            Self::Read => settings.read_ms_max,
        }
    }

    fn lock_ms_max(self, settings: &PostgresSettings) -> u64 {
        if self == Self::Migrate { settings.migrate_ms_max } else { settings.lock_ms_max }
    }
}

/// The options of a session. `synchronous_commit` is set because a role or a database may have another default, and
/// what is acknowledged must be durable. The keepalives let the server notice that a client is gone and end its
/// session. A client notices that a server is gone by its own time limits.
pub(super) fn options(
    url: &str,
    settings: &PostgresSettings,
    purpose: Purpose,
) -> Result<PgConnectOptions, DatabaseError> {
    let options = PgConnectOptions::from_str(url).map_err(DatabaseError::query("read the database's URL"))?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name(purpose.name()) };
    let reads = matches!(purpose, Purpose::Read | Purpose::Audit);
    let idle_ms_max = settings.idle_in_transaction_ms_max;
    let options = options.options([
        ("search_path", settings.schema.as_str()),
        ("statement_timeout", &purpose.statement_ms_max(settings).to_string()),
        ("lock_timeout", &purpose.lock_ms_max(settings).to_string()),
        ("idle_in_transaction_session_timeout", &idle_ms_max.to_string()),
        ("synchronous_commit", "on"),
        ("default_transaction_read_only", if reads { "on" } else { "off" }),
        ("tcp_keepalives_idle", "30"),
        ("tcp_keepalives_interval", "10"),
        ("tcp_keepalives_count", "3"),
    ]);
    Ok(options.disable_statement_logging())
}

/// Opens a session within the time limit for connecting.
pub(super) async fn connect(
    url: &str,
    settings: &PostgresSettings,
    purpose: Purpose,
) -> Result<PgConnection, DatabaseError> {
    let options = options(url, settings, purpose)?;
    let limit = Duration::from_millis(settings.connect_ms_max);
    within(limit, options.connect()).await.map_err(DatabaseError::query("connect to Postgres"))
}

/// Waits no longer than `limit`, because a server that is cut off does not even report an error.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    let late = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

/// The place of the database for messages, without the password.
pub(super) fn place(url: &str, settings: &PostgresSettings) -> String {
    let Ok(options) = PgConnectOptions::from_str(url) else { return "the database's URL".to_owned() };
    let database = options.get_database().unwrap_or(options.get_username()).to_owned();
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let host = options.get_socket().map_or(host, |socket| socket.display().to_string());
    format!("schema {} of database {database} at {host}:{port}", settings.schema)
}

/// Refuses a server that is too old. `version` has the form of `server_version_num`.
pub(super) fn check_version(version: Option<u32>) -> Result<(), DatabaseError> {
    match version {
        Some(version) if version < OLDEST_SERVER * 10_000 => {
            Err(DatabaseError::ServerTooOld { found: version / 10_000, oldest: OLDEST_SERVER })
        }
        // A server that does not state its version, perhaps a pooler, is accepted.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_maintenance_are_refused() {
        let error = check_version(Some(120_022)).unwrap_err();
        assert!(matches!(error, DatabaseError::ServerTooOld { found: 12, oldest: 13 }), "{error}");
        check_version(Some(130_000)).unwrap();
        check_version(None).unwrap();
    }

    #[test]
    fn the_place_in_messages_has_no_password() {
        let settings = PostgresSettings::default();
        let place = place("postgres://me:secret@db.example:5433/shop", &settings);
        assert_eq!(place, "schema orderflow of database shop at db.example:5433");
    }
}
