//! Settings: defaults < pipeline file < environment < flags.
//!
//! Each part of the system has one struct of settings, in its own crate, and [`Settings`] nests them. There is no
//! other list of settings. The `[settings]` table of a pipeline file is read into that struct. Its JSON Schema gives
//! every field a flag, an environment variable, a line of `--help` and a row of the reference ([`catalog`]). A
//! field's doc comment is its help, and `#[schemars(range(…))]` has its bounds, which are checked for values from
//! every place. `x-flag` in a field's schema names a flag that does not follow from the field's path. Only settings
//! with `x-flag` are in the short help and in the README.

mod catalog;
mod configuration;
mod network;
mod overrides;
mod pipeline_file;
#[cfg(test)]
mod reference;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Result, anyhow};
use orderflow_accounts::AccountsSettings;
use orderflow_database::{postgres::PostgresSettings, sqlite::SqliteSettings};
use orderflow_feed::FeedSettings;
use orderflow_ingest::IngestSettings;
use orderflow_runner::{processing::RunnerSettings, sink_driver::SinkDriverSettings};
use orderflow_topics::embedded::LogSettings;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{roles::Roles, stores::database::DatabaseUrl, telemetry::TelemetrySettings};

#[cfg(test)]
pub use self::pipeline_file::BUILT_IN;
pub use self::{
    configuration::Configuration, network::NetworkSettings, overrides::Overrides, pipeline_file::PipelineFile,
};

/// All settings of a process.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The data directory.
    #[schemars(extend("x-flag" = "data", "x-value" = "DIR"))]
    pub data: PathBuf,
    /// The address to listen on. Port 0 takes a free one.
    #[schemars(with = "String", extend("x-flag" = "listen", "x-value" = "ADDR"))]
    pub listen: SocketAddr,
    /// The database, `postgres://USER:PASSWORD@HOST/DATABASE`; without it, SQLite in the data directory. Prefer the
    /// environment variable: other users of the machine can see arguments.
    #[schemars(with = "Option<String>", extend("x-flag" = "database", "x-value" = "URL", "x-secret" = true))]
    pub database: Option<DatabaseUrl>,
    /// The log; without it, the embedded log in the data directory. There is no other engine yet.
    #[schemars(extend("x-flag" = "topics", "x-value" = "URL", "x-secret" = true))]
    pub topics: Option<String>,
    /// The roles of this process, separated by commas. The embedded log requires all of them in one process.
    #[schemars(with = "String", extend("x-flag" = "roles", "x-value" = "LIST"))]
    pub roles: Roles,
    /// Partitions of `orders.commands` and `orders.events`, fixed once the log exists.
    #[schemars(range(min = 1, max = 256), extend("x-flag" = "order-partitions"))]
    pub order_partitions: u16,
    /// Partitions of `stock.commands` and `stock.events`, fixed once the log exists.
    #[schemars(range(min = 1, max = 256), extend("x-flag" = "stock-partitions"))]
    pub stock_partitions: u16,
    /// Idempotency keys of placed orders that each partition remembers, the newest ones. With fewer than the minimum,
    /// a repeat could find its key forgotten while its first request is still in flight.
    #[schemars(range(min = 1_000), extend("x-flag" = "keys-max"))]
    pub keys_max: usize,
    /// Idempotency keys of all other writes that each partition remembers, the newest ones.
    #[schemars(range(min = 1_000), extend("x-flag" = "change-keys-max"))]
    pub change_keys_max: usize,
    /// The largest request body, decompressed. Streams of lines have no limit.
    #[schemars(range(min = 64), extend("x-flag" = "body-bytes-max"))]
    pub body_bytes_max: usize,
    /// Connections that are served at the same time. A further one replaces the one that has been idle longest.
    #[schemars(range(min = 1), extend("x-flag" = "connections-max"))]
    pub connections_max: usize,
    /// Connections and requests.
    pub network: NetworkSettings,
    /// The embedded log.
    pub log: LogSettings,
    /// The write API.
    pub ingest: IngestSettings,
    /// The loops that run processors.
    pub processors: RunnerSettings,
    /// The events that all readers of this process share.
    pub feed: FeedSettings,
    /// The loops that apply events to stores.
    pub sinks: SinkDriverSettings,
    /// SQLite in the data directory.
    pub sqlite: SqliteSettings,
    /// Postgres.
    pub postgres: PostgresSettings,
    /// Accounts and tokens.
    pub accounts: AccountsSettings,
    /// Traces.
    pub telemetry: TelemetrySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: "data".into(),
            listen: ([127, 0, 0, 1], 8080).into(),
            database: None,
            topics: None,
            roles: Roles::default(),
            order_partitions: 4,
            stock_partitions: 4,
            keys_max: 1_000_000,
            change_keys_max: 1_000_000,
            body_bytes_max: 1 << 20,
            connections_max: 4096,
            network: NetworkSettings::default(),
            log: LogSettings::default(),
            ingest: IngestSettings::default(),
            processors: RunnerSettings::default(),
            feed: FeedSettings::default(),
            sinks: SinkDriverSettings::default(),
            sqlite: SqliteSettings::default(),
            postgres: PostgresSettings::default(),
            accounts: AccountsSettings::default(),
            telemetry: TelemetrySettings::default(),
        }
    }
}

impl Settings {
    /// Reads the given settings from a nested table and checks their bounds. Settings that are not given have their
    /// defaults.
    pub fn from_table(table: toml::Table) -> Result<Self> {
        catalog::check_bounds(&table)?;
        serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
            let path = error.path().to_string();
            let message = error.into_inner().to_string();
            anyhow!("[settings] {path}: {}", message.trim_end())
        })
    }
}

#[cfg(test)]
mod tests;
