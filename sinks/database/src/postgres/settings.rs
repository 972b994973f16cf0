//! The settings of Postgres, with their defaults.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How Postgres is used. Where it is comes in a URL of its own, since that may hold a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PostgresSettings {
    /// The schema of the tables, created if it does not exist.
    #[schemars(with = "String", extend("x-value" = "NAME"))]
    pub schema: SchemaName,
    /// Connections for reads.
    #[schemars(range(min = 1, max = 1_000))]
    pub readers: u32,
    /// How long a read waits for a connection.
    #[schemars(range(min = 1))]
    pub acquire_ms_max: u64,
    /// How long connecting may take.
    #[schemars(range(min = 1))]
    pub connect_ms_max: u64,
    /// How long a read may take. Verification has no such limit.
    #[schemars(range(min = 1))]
    pub read_ms_max: u64,
    /// How long writing a batch may take.
    #[schemars(range(min = 1))]
    pub write_ms_max: u64,
    /// How long a writing statement waits for a lock.
    #[schemars(range(min = 1))]
    pub lock_ms_max: u64,
    /// When Postgres ends a transaction in which this program is silent, so that a process that hangs holds no locks.
    #[schemars(range(min = 1))]
    pub idle_in_transaction_ms_max: u64,
    /// How long a start waits for another process that migrates.
    #[schemars(range(min = 1))]
    pub migrate_ms_max: u64,
    /// Reads in a row that could not reach Postgres, after which others fail at once.
    #[schemars(range(min = 1))]
    pub breaker_failures: u32,
    /// How long reads then fail at once, until one tries again.
    #[schemars(range(min = 1))]
    pub breaker_open_ms: u64,
}

impl Default for PostgresSettings {
    fn default() -> Self {
        Self {
            schema: SchemaName::default(),
            readers: 8,
            acquire_ms_max: 2_000,
            connect_ms_max: 5_000,
            read_ms_max: 5_000,
            write_ms_max: 30_000,
            lock_ms_max: 10_000,
            idle_in_transaction_ms_max: 60_000,
            migrate_ms_max: 120_000,
            breaker_failures: 3,
            breaker_open_ms: 1_000,
        }
    }
}

/// The name of a schema that needs no quotes anywhere: 1 to 63 lower-case letters, digits and underscores, the first
/// not a digit, and not a name that Postgres reserves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct SchemaName(String);

/// The text is not the name of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a schema's name has 1 to 63 lower-case letters, digits and underscores, begins with no digit or `pg_`"
)]
pub struct InvalidSchemaName;

impl SchemaName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for SchemaName {
    fn default() -> Self {
        Self("orderflow".to_owned())
    }
}

impl TryFrom<String> for SchemaName {
    type Error = InvalidSchemaName;

    fn try_from(name: String) -> Result<Self, InvalidSchemaName> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|first| !first.is_ascii_digit());
        let reserved = name.starts_with("pg_") || name == "information_schema";
        let valid = begins && !reserved && name.len() <= 63 && name.bytes().all(allowed);
        if valid { Ok(Self(name)) } else { Err(InvalidSchemaName) }
    }
}

impl fmt::Display for SchemaName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_schemas() {
        for name in ["orderflow", "_a1", "public", &"x".repeat(63)] {
            assert_eq!(SchemaName::try_from(name.to_owned()).map(|name| name.0), Ok(name.to_owned()));
        }
        let long = "x".repeat(64);
        for name in
            ["", "1a", "Orders", "a b", "a;drop", "a\"", "ä", "a-b", "pg_x", "information_schema", &long]
        {
            assert_eq!(SchemaName::try_from(name.to_owned()), Err(InvalidSchemaName), "{name}");
        }
    }
}
