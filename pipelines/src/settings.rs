//! Settings: defaults < pipeline file < environment < flags.
//!
//! Every setting is optional where it can be written ([`Options`]: the `[settings]` table of a pipeline file, or
//! flags and `ORDERFLOW_…` variables, which clap merges) and definite where it is used ([`Settings`]).

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use orderflow_runner::processing;
use orderflow_schemas::Lifecycle;
use orderflow_topics::embedded;
use serde::Deserialize;

use crate::{
    roles::Roles,
    stores::database::{DatabaseUrl, Location},
};

/// Half of it is the largest append, which must hold what a processor decides at once.
const SEGMENT_BYTES_MIN: u64 = 1 << 20;
/// Idempotency keys a partition remembers unless set otherwise.
const KEYS_MAX: usize = 1_000_000;
/// Fewer and a repeat could find its key forgotten while its first request is under way.
const KEYS_MIN: u64 = 1_000;
/// The smallest order is about as long.
const BODY_BYTES_MIN: u64 = 64;
/// Longer and a connection could be cut as silent before its answer.
const DECISION_WITHIN_S_MAX: u64 = 60;
/// Resolved reservations a partition remembers, to name the first resolution when a second comes.
const RESOLVED_MAX: usize = 100_000;

/// The pipelines that are part of the program, by name.
pub const BUILT_IN: [(&str, &str); 4] = [
    ("order-tracking", include_str!("../order-tracking.toml")),
    ("reservation", include_str!("../reservation.toml")),
    ("approval", include_str!("../approval.toml")),
    ("delivery", include_str!("../delivery.toml")),
];

/// What can be set, each with its default.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The data directory [default: ./data]
    #[arg(long, env = "ORDERFLOW_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Where to listen [default: 127.0.0.1:8080]; port 0 takes a free one
    #[arg(long, env = "ORDERFLOW_LISTEN", value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// The database: postgres://USER:PASSWORD@HOST/DATABASE [default: SQLite in the data directory]
    #[arg(long, env = "ORDERFLOW_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
    /// The log [default: embedded, in the data directory]
    #[arg(long, env = "ORDERFLOW_TOPICS", value_name = "URL", hide_env_values = true)]
    pub topics: Option<String>,
    /// What this process does: ingest, processors, sinks, api, with commas between them [default: all of it]
    #[arg(long, env = "ORDERFLOW_ROLES", value_name = "LIST")]
    pub roles: Option<Roles>,
    /// Partitions of orders.commands and orders.events, fixed once the log exists [default: 4]
    #[arg(long, env = "ORDERFLOW_ORDER_PARTITIONS", value_name = "N")]
    pub order_partitions: Option<u16>,
    /// Partitions of stock.commands and stock.events, fixed once the log exists [default: 4]
    #[arg(long, env = "ORDERFLOW_STOCK_PARTITIONS", value_name = "N")]
    pub stock_partitions: Option<u16>,
    /// Bytes of a segment of the log [default: 67108864]
    #[arg(long, env = "ORDERFLOW_SEGMENT_BYTES", value_name = "BYTES")]
    pub segment_bytes: Option<u64>,
    /// Bytes of the log at which it says it is full [default: none]
    #[arg(long, env = "ORDERFLOW_LOG_BYTES_MAX", value_name = "BYTES")]
    pub log_bytes_max: Option<u64>,
    /// Bytes of the log's tail that are kept in memory [default: 33554432]
    #[arg(long, env = "ORDERFLOW_CACHE_BYTES", value_name = "BYTES")]
    pub cache_bytes: Option<usize>,
    /// Remove segments of the log that are older than so many seconds and no longer needed [default: never]
    #[arg(long, env = "ORDERFLOW_RETENTION_AGE_S", value_name = "SECONDS")]
    pub retention_age_s: Option<u64>,
    /// Remove segments that are no longer needed while the log is larger than this [default: never]
    #[arg(long, env = "ORDERFLOW_RETENTION_BYTES", value_name = "BYTES")]
    pub retention_bytes: Option<u64>,
    /// Idempotency keys a partition remembers at most, the newest [default: 1000000]
    #[arg(long, env = "ORDERFLOW_KEYS_MAX", value_name = "N")]
    pub keys_max: Option<usize>,
    /// Commands between two snapshots of a processor, more when its state is large [default: 100000]
    #[arg(long, env = "ORDERFLOW_SNAPSHOT_EVERY", value_name = "N")]
    pub snapshot_every: Option<u64>,
    /// Seconds a synchronous call waits for its decision before it is answered 202 [default: 10]
    #[arg(long, env = "ORDERFLOW_DECISION_WITHIN_S", value_name = "SECONDS")]
    pub decision_within_s: Option<u64>,
    /// Bytes a request's body may have [default: 1048576]
    #[arg(long, env = "ORDERFLOW_BODY_BYTES_MAX", value_name = "BYTES")]
    pub body_bytes_max: Option<usize>,
    /// Connections that are served at the same time; more wait to be accepted [default: 4096]
    #[arg(long, env = "ORDERFLOW_CONNECTIONS_MAX", value_name = "N")]
    pub connections_max: Option<usize>,
}

impl Options {
    /// These options, and where they say nothing, those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            data: self.data.or(other.data),
            listen: self.listen.or(other.listen),
            database: self.database.or(other.database),
            topics: self.topics.or(other.topics),
            roles: self.roles.or(other.roles),
            order_partitions: self.order_partitions.or(other.order_partitions),
            stock_partitions: self.stock_partitions.or(other.stock_partitions),
            segment_bytes: self.segment_bytes.or(other.segment_bytes),
            log_bytes_max: self.log_bytes_max.or(other.log_bytes_max),
            cache_bytes: self.cache_bytes.or(other.cache_bytes),
            retention_age_s: self.retention_age_s.or(other.retention_age_s),
            retention_bytes: self.retention_bytes.or(other.retention_bytes),
            keys_max: self.keys_max.or(other.keys_max),
            snapshot_every: self.snapshot_every.or(other.snapshot_every),
            decision_within_s: self.decision_within_s.or(other.decision_within_s),
            body_bytes_max: self.body_bytes_max.or(other.body_bytes_max),
            connections_max: self.connections_max.or(other.connections_max),
        }
    }
}

/// A pipeline file, read and checked.
#[derive(Clone, Debug)]
pub struct PipelineFile {
    /// Its lifecycle.
    pub lifecycle: Arc<Lifecycle>,
    /// Its `[settings]`.
    pub options: Options,
}

#[derive(Deserialize)]
struct SettingsTable {
    #[serde(default)]
    settings: Options,
}

impl PipelineFile {
    /// Reads a file, or a built-in pipeline by its name; none is the default one.
    pub fn read(path: Option<&std::path::Path>) -> Result<Self> {
        let name = path.map_or("order-tracking".into(), |path| path.to_string_lossy());
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        let text = match (built_in, path) {
            (Some((_, text)), _) => (*text).to_owned(),
            (None, Some(path)) => std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the pipeline file {}", path.display()))?,
            (None, None) => bail!("there is no default pipeline"),
        };
        let lifecycle = Lifecycle::parse(&text).with_context(|| format!("pipeline {name}"))?;
        let table: SettingsTable = toml::from_str(&text).with_context(|| format!("pipeline {name}"))?;
        Ok(Self { lifecycle: Arc::new(lifecycle), options: table.settings })
    }
}

/// All settings of a process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What this process does of the whole.
    pub roles: Roles,
    /// The data directory.
    pub data: PathBuf,
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the database is.
    pub database: Location,
    /// The lifecycle of orders.
    pub lifecycle: Arc<Lifecycle>,
    /// Partitions of the order topics.
    pub order_partitions: u16,
    /// Partitions of the stock topics.
    pub stock_partitions: u16,
    /// The embedded log.
    pub log: embedded::Settings,
    /// Idempotency keys a partition remembers.
    pub keys_max: usize,
    /// Resolved reservations a partition remembers.
    pub resolved_max: usize,
    /// Commands between two snapshots.
    pub snapshot_every: u64,
    /// How long a synchronous call waits for its decision.
    pub decision_within: Duration,
    /// Bytes of a request's body.
    pub body_bytes_max: usize,
    /// Connections served at the same time.
    pub connections_max: usize,
}

impl Settings {
    /// Fills in the defaults and checks what can be checked without starting.
    pub fn resolve(options: Options, pipeline: PipelineFile) -> Result<Self> {
        let options = options.or(pipeline.options);
        if let Some(url) = &options.topics {
            let scheme = url.split(':').next().unwrap_or_default();
            bail!("--topics {scheme}:… is not supported by this version; leave it out for the embedded log");
        }
        let roles = options.roles.clone().unwrap_or_default();
        roles.check_embedded()?;
        let partitions = |given: Option<u16>| given.unwrap_or(4);
        let (order_partitions, stock_partitions) =
            (partitions(options.order_partitions), partitions(options.stock_partitions));
        ensure!(
            (1..=256).contains(&order_partitions) && (1..=256).contains(&stock_partitions),
            "a topic has 1 to 256 partitions"
        );
        let defaults = embedded::Settings::default();
        let segment_bytes = options.segment_bytes.unwrap_or(defaults.segment_bytes);
        ensure!(
            segment_bytes >= SEGMENT_BYTES_MIN,
            "segment_bytes must be at least {SEGMENT_BYTES_MIN}, so that a segment can hold what one command leads to"
        );
        check_bounds(&options, segment_bytes)?;
        let log = embedded::Settings {
            segment_bytes,
            bytes_max: options.log_bytes_max,
            cache_bytes_max: options.cache_bytes.unwrap_or(defaults.cache_bytes_max),
            retention: embedded::Retention { age_s: options.retention_age_s, bytes: options.retention_bytes },
            ..defaults
        };
        Ok(Self {
            roles,
            data: options.data.unwrap_or_else(|| "data".into()),
            listen: options.listen.unwrap_or_else(|| ([127, 0, 0, 1], 8080).into()),
            database: Location::of(options.database)?,
            lifecycle: pipeline.lifecycle,
            order_partitions,
            stock_partitions,
            log,
            keys_max: options.keys_max.unwrap_or(KEYS_MAX),
            resolved_max: RESOLVED_MAX,
            snapshot_every: options.snapshot_every.unwrap_or(processing::Settings::default().snapshot_every),
            decision_within: Duration::from_secs(options.decision_within_s.unwrap_or(10)),
            body_bytes_max: options.body_bytes_max.unwrap_or(1 << 20),
            connections_max: options.connections_max.unwrap_or(4096),
        })
    }
}

/// Each setting is large enough for the promise that rests on it.
fn check_bounds(options: &Options, segment_bytes: u64) -> Result<()> {
    let wide = |given: Option<usize>| given.map(|given| given as u64);
    let bounds = [
        ("keys_max", wide(options.keys_max), KEYS_MIN, "so that a repeat finds its key"),
        ("snapshot_every", options.snapshot_every, 1, "so that a start has an end"),
        ("decision_within_s", options.decision_within_s, 1, "so that a call is answered with its decision"),
        ("body_bytes_max", wide(options.body_bytes_max), BODY_BYTES_MIN, "so that it holds an order"),
        ("connections_max", wide(options.connections_max), 1, "so that somebody is served"),
        ("retention_age_s", options.retention_age_s, 1, "so that readers see what is new"),
        ("retention_bytes", options.retention_bytes, segment_bytes, "which is segment_bytes"),
    ];
    for (name, given, least, why) in bounds {
        ensure!(given.is_none_or(|given| given >= least), "{name} must be at least {least}, {why}");
    }
    ensure!(
        options.decision_within_s.is_none_or(|seconds| seconds <= DECISION_WITHIN_S_MAX),
        "decision_within_s must be at most {DECISION_WITHIN_S_MAX}, so that no connection is cut before its answer"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let text = format!("{}\n[settings]\norder_partitions = 7\nkeys_max = 5000\n", BUILT_IN[1].1);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let pipeline = PipelineFile::read(Some(file.path())).unwrap();
        let flags = Options { keys_max: Some(9_000), ..Options::default() };
        let settings = Settings::resolve(flags, pipeline).unwrap();
        assert_eq!((settings.order_partitions, settings.keys_max, settings.stock_partitions), (7, 9_000, 4));
        assert_eq!(settings.lifecycle.name, "reservation");
    }

    #[test]
    fn unknown_keys_and_stores_of_other_versions_are_errors() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{}\n[settings]\ncolour = 1\n", BUILT_IN[0].1)).unwrap();
        assert!(format!("{:#}", PipelineFile::read(Some(file.path())).unwrap_err()).contains("colour"));
        let options = Options { database: "mysql://x".parse().ok(), ..Options::default() };
        let error = Settings::resolve(options, PipelineFile::read(None).unwrap()).unwrap_err();
        assert!(error.to_string().contains("mysql"), "{error}");
    }

    #[test]
    fn no_setting_switches_a_promise_off() {
        let none = Options::default;
        for (options, name) in [
            (Options { keys_max: Some(0), ..none() }, "keys_max"),
            (Options { keys_max: Some(999), ..none() }, "keys_max"),
            (Options { snapshot_every: Some(0), ..none() }, "snapshot_every"),
            (Options { decision_within_s: Some(0), ..none() }, "decision_within_s"),
            (Options { decision_within_s: Some(61), ..none() }, "decision_within_s"),
            (Options { body_bytes_max: Some(0), ..none() }, "body_bytes_max"),
            (Options { connections_max: Some(0), ..none() }, "connections_max"),
            (Options { retention_age_s: Some(0), ..none() }, "retention_age_s"),
            (Options { retention_bytes: Some(0), ..none() }, "retention_bytes"),
            (Options { segment_bytes: Some(0), ..none() }, "segment_bytes"),
            (Options { order_partitions: Some(0), ..none() }, "partitions"),
            (Options { stock_partitions: Some(0), ..none() }, "partitions"),
        ] {
            let refused = Settings::resolve(options, PipelineFile::read(None).unwrap()).unwrap_err();
            assert!(refused.to_string().contains(name), "{name}: {refused}");
        }
    }

    #[test]
    fn every_built_in_pipeline_can_be_named() {
        for (name, _) in BUILT_IN {
            assert_eq!(PipelineFile::read(Some(name.as_ref())).unwrap().lifecycle.name, name);
        }
    }
}
