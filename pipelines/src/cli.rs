//! The command line: commands, arguments, and their help.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};

use crate::{
    load::{bench::Mode, replay::Speed},
    remote::Token,
    settings::Overrides,
    stores::database::DatabaseUrl,
    telemetry::logs::LogOptions,
    top::Top,
};

/// A real-time order pipeline: durable commands, decided in order, stock never oversold.
#[derive(Debug, Parser)]
#[command(name = "orderflow", version, propagate_version = true)]
pub struct Cli {
    /// The command to carry out.
    #[command(subcommand)]
    pub command: Command,
    /// Which lines are logged, and in which form.
    #[command(flatten)]
    pub logs: LogOptions,
}

/// The commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a whole system with a simulated market in a temporary directory
    Demo(Demo),
    /// Run the pipeline
    Serve(Box<Serve>),
    /// Post an NDJSON file of orders to a running server; safe to run twice
    Replay(Replay),
    /// Put load on a running server and report throughput and latency
    Bench(Bench),
    /// Recompute everything from the log of a stopped server and compare every store with it
    ///
    /// It changes nothing. To verify a running server, verify a copy of its data directory. A snapshot of the file
    /// system is as good as a stopped server. If you copy file by file, copy the log last, newest segment first, so
    /// that it contains everything the other files refer to: first the database by its own means (sqlite3
    /// data/orders.sqlite "VACUUM INTO 'copy/orders.sqlite'"), then snapshots/, then the files of log/ in the reverse
    /// order of their names. `cp -a` copies in an unsuitable order.
    ///
    /// A backup needs accounts.sqlite too, which verify does not read and nothing can fill again: copy it by the same
    /// means, at any time (sqlite3 data/accounts.sqlite "VACUUM INTO 'copy/accounts.sqlite'"), with umask 077, because it
    /// has the keys that sign tokens. With --database, dump the schema `accounts` of Postgres.
    ///
    /// Records of the copied log beyond the database are counted as pending. A database that was copied after the log
    /// is ahead of it: that is one difference for each partition, and its rows beyond the log are counted as
    /// unchecked. A log whose newest segment was copied too late, or was written while it was copied, can be reported
    /// as damaged: copy log/ again. Neither is ever reported as clean.
    Verify(Verify),
    /// Try the promises: the real loops, log and sink on a simulated disk, clock and network, as a seed decides
    Simulate(Simulate),
    /// Print the records of a topic as JSON lines
    Tap(Tap),
    /// Print topics and partitions with their offsets
    Topics(LogSource),
    /// Watch a running server: rates, lag, latencies, health, partitions
    ///
    /// `q` quits, `p` pauses. A rate is that between two samples, and so is a latency: a percentile of the durations
    /// measured in between, interpolated within a bucket of the histogram. `decision` is the time from the durable
    /// command of a request to its decision, `HTTP` from a request's head to its response's head, `log sync` the time
    /// in which a group of records becomes durable, `reads` that of a read of the database. Requests to /health,
    /// /metrics and /topics, which this screen sends itself, are left out. A lag is a number of records; `largest` is
    /// that of one partition.
    ///
    /// Health and metrics are open to all. Topics, and with them the records a second by topic, are shown to admins.
    Top(Top),
    /// Log in at a running server and store the log-in for bench, replay, tap, topics and top
    ///
    /// The password or the secret is typed at the terminal, or read from standard input. A log-in is only ever sent to
    /// the scheme, host and port it was made for, and never in clear to another machine. It is stored in
    /// $XDG_CONFIG_HOME/orderflow/logins.json or ~/.config/orderflow/logins.json, which only its user can read.
    Login(Login),
    /// End the stored log-in at a server and forget it
    Logout(Logout),
    /// Add, list and remove machine clients, which use the API with an id and a secret
    #[command(subcommand)]
    Clients(Clients),
    /// Change the keys that sign access tokens
    #[command(subcommand)]
    Keys(Keys),
    /// Check and draw pipeline files
    #[command(subcommand)]
    Pipeline(Pipeline),
    /// Print the description of the HTTP API in OpenAPI 3.1
    Openapi,
    /// Print a completion script
    Completions {
        /// The shell that the script is for
        shell: clap_complete::Shell,
    },
}

/// `orderflow demo`
#[derive(Args, Debug)]
pub struct Demo {
    /// Stop after this time, verify, and exit 0 only if everything balances; otherwise run until Ctrl-C
    #[arg(long = "for", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub duration: Option<Duration>,
    /// Orders a second
    #[arg(long, default_value_t = 200.0, value_parser = rate, value_name = "N")]
    pub rate: f64,
    /// The address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    pub listen: std::net::SocketAddr,
    /// An empty database: postgres://USER:PASSWORD@HOST/DATABASE [default: SQLite in the temporary directory]
    #[arg(long, env = "ORDERFLOW_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
}

/// `orderflow serve`
#[derive(Args, Debug)]
pub struct Serve {
    /// A pipeline file, or one of order-tracking, reservation, approval, delivery [default: order-tracking]
    #[arg(long, env = "ORDERFLOW_PIPELINE", value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    /// Take the caller from the headers X-Orderflow-Role and X-Orderflow-Subject; loopback only
    #[arg(long, env = "ORDERFLOW_INSECURE_NO_AUTH")]
    pub insecure_no_auth: bool,
    /// The settings given by flags and environment variables.
    #[command(flatten)]
    pub settings: Overrides,
}

/// The address of a running server.
#[derive(Args, Debug)]
pub struct Url {
    /// The URL of the server, http:// or https://
    #[arg(long, env = "ORDERFLOW_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// In whose name the server is used.
    #[command(flatten)]
    pub caller: Caller,
}

/// In whose name a running server is used.
#[derive(Args, Clone, Debug)]
pub struct Caller {
    /// An access token [default: the stored log-in at this URL, of `orderflow login`; without one, the headers that a
    /// server with --insecure-no-auth trusts]. Prefer the environment variable: other users of the machine can see
    /// arguments
    #[arg(long, env = "ORDERFLOW_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub token: Option<Token>,
    /// Where log-ins are stored, and which certificates are trusted.
    #[command(flatten)]
    pub store: LoginStore,
}

/// Where log-ins are stored, and which certificates are trusted.
#[derive(Args, Clone, Debug, Default)]
pub struct LoginStore {
    /// The file of stored log-ins [default: orderflow/logins.json in $XDG_CONFIG_HOME or ~/.config]
    #[arg(long, env = "ORDERFLOW_LOGIN_FILE", value_name = "FILE")]
    pub login_file: Option<PathBuf>,
    /// The authorities, in PEM, that the certificate of an https:// server may come from [default: those of the system]
    #[arg(long, env = "ORDERFLOW_CA_CERT", value_name = "FILE")]
    pub ca_cert: Option<PathBuf>,
}

/// `orderflow login`
#[derive(Args, Debug)]
pub struct Login {
    /// The URL of the server, http:// or https://
    #[arg(long, env = "ORDERFLOW_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// The email address or username of a person [default: asked at the terminal]
    #[arg(long, value_name = "LOGIN", conflicts_with = "client_id")]
    pub user: Option<String>,
    /// The id of a machine client
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// Store the secret of the machine client too; without it, the log-in ends with its token, after 15 minutes
    #[arg(long, requires = "client_id")]
    pub keep_secret: bool,
    /// Where the log-in is stored, and which certificates are trusted.
    #[command(flatten)]
    pub store: LoginStore,
}

/// `orderflow logout`
#[derive(Args, Debug)]
pub struct Logout {
    /// The URL of the server, as it was given to `orderflow login`
    #[arg(long, env = "ORDERFLOW_URL", default_value = "http://127.0.0.1:8080", value_name = "URL")]
    pub url: String,
    /// Where the log-in is stored, and which certificates are trusted.
    #[command(flatten)]
    pub store: LoginStore,
}

/// `orderflow replay`
#[derive(Args, Debug)]
pub struct Replay {
    /// An NDJSON file of orders: .zst, .gz or plain; - for standard input
    pub file: PathBuf,
    /// The server to send the orders to.
    #[command(flatten)]
    pub server: Url,
    /// `max`, or a multiple of the pace the orders were placed at
    #[arg(long, default_value = "max")]
    pub speed: Speed,
    /// First receive this percentage of the units that the file orders of each SKU
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub stock: Option<u32>,
}

/// `orderflow bench`
#[derive(Args, Debug)]
pub struct Bench {
    /// The server to load.
    #[command(flatten)]
    pub server: Url,
    /// One order a request, or many
    #[arg(long, value_enum, default_value_t = Mode::Single)]
    pub mode: Mode,
    /// Orders a second, or `max`
    #[arg(long, default_value = "max", value_parser = rate_or_max, value_name = "N")]
    pub rate: Rate,
    /// How long to send orders
    #[arg(long = "for", default_value = "30s", value_parser = humantime::parse_duration, value_name = "DURATION")]
    pub duration: Duration,
    /// How many connections to use
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub connections: u32,
    /// Lines of each order
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=500), value_name = "N")]
    pub lines: u32,
    /// Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// `orderflow verify`
#[derive(Args, Debug)]
pub struct Verify {
    /// The data directory
    #[arg(long, env = "ORDERFLOW_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// The database it was shown in: postgres://USER:PASSWORD@HOST/DATABASE [default: SQLite in the data directory]
    #[arg(long, env = "ORDERFLOW_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
    /// The pipeline file the log was written under [default: order-tracking]
    #[arg(long, env = "ORDERFLOW_PIPELINE", value_name = "FILE")]
    pub pipeline: Option<PathBuf>,
    /// The most idempotency keys of placed orders that a partition remembered [default: 1000000]
    #[arg(long, env = "ORDERFLOW_KEYS_MAX", value_name = "N")]
    pub keys_max: Option<usize>,
    /// The most idempotency keys of all other writes that a partition remembered [default: 1000000]
    #[arg(long, env = "ORDERFLOW_CHANGE_KEYS_MAX", value_name = "N")]
    pub change_keys_max: Option<usize>,
    /// A folder for temporary files, about 100 bytes for each change of an order [default: that of the system]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
    /// Bytes of changes of orders that are sorted in memory; the rest goes to the folder [default: 33554432]
    #[arg(long, value_name = "BYTES")]
    pub sort_bytes: Option<usize>,
}

/// `orderflow simulate`
#[derive(Args, Debug)]
#[command(disable_help_flag = true)]
pub struct Simulate {
    /// Arguments of the simulator; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    pub arguments: Vec<OsString>,
}

/// A running server, or the data directory of a stopped one.
#[derive(Args, Debug)]
pub struct LogSource {
    /// A running server, which only an admin may ask for its log
    #[arg(long, env = "ORDERFLOW_URL", value_name = "URL", conflicts_with = "data")]
    pub url: Option<String>,
    /// In whose name the running server is used.
    #[command(flatten)]
    pub caller: Caller,
    /// The data directory of a stopped server [default: data]
    #[arg(long, env = "ORDERFLOW_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// `orderflow tap`
#[derive(Args, Debug)]
pub struct Tap {
    /// The topic to print
    pub topic: orderflow_schemas::Topic,
    /// Print only this partition
    #[arg(long, value_name = "N")]
    pub partition: Option<u16>,
    /// An offset to begin at in each partition, or `end`
    #[arg(long, default_value = "0", value_parser = from, value_name = "OFFSET|end")]
    pub from: From,
    /// Keep printing records as they are written
    #[arg(long)]
    pub follow: bool,
    /// The log to read.
    #[command(flatten)]
    pub source: LogSource,
}

/// The store of accounts.
#[derive(Args, Debug)]
pub struct AccountsStore {
    /// The data directory, with accounts.sqlite
    #[arg(long, env = "ORDERFLOW_DATA", default_value = "data", value_name = "DIR")]
    pub data: PathBuf,
    /// The database whose schema `accounts` it is: postgres://USER:PASSWORD@HOST/DATABASE [default: the file in the
    /// data directory]
    #[arg(long, env = "ORDERFLOW_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<DatabaseUrl>,
}

/// `orderflow clients`
#[derive(Debug, Subcommand)]
pub enum Clients {
    /// Add a client and print it as JSON, with its secret, which is shown only now
    Add {
        /// What the client is
        name: String,
        /// service, courier or analyst
        #[arg(long)]
        role: String,
        /// The scopes that it may ask for, with spaces between [default: all that its role can use]
        #[arg(long, value_name = "SCOPES")]
        scopes: Option<String>,
        /// The requests a second that it may send [default: the bound of the server's settings]
        #[arg(long, value_name = "N")]
        requests_per_second: Option<i64>,
        /// The store.
        #[command(flatten)]
        store: AccountsStore,
    },
    /// Print all clients as JSON lines, the newest first
    List {
        /// The store.
        #[command(flatten)]
        store: AccountsStore,
    },
    /// Remove a client; its tokens are refused within seconds
    Remove {
        /// The id of the client
        id: uuid::Uuid,
        /// The store.
        #[command(flatten)]
        store: AccountsStore,
    },
}

/// `orderflow keys`
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Add a key, which signs all tokens from a minute later on; nobody is logged out
    Rotate {
        /// The store.
        #[command(flatten)]
        store: AccountsStore,
    },
}

/// `orderflow pipeline`
#[derive(Debug, Subcommand)]
pub enum Pipeline {
    /// Say whether a pipeline file can run, and if not, why
    Check {
        /// The file, or the name of a built-in pipeline
        file: PathBuf,
    },
    /// Print a pipeline's lifecycle as a Mermaid diagram
    Graph {
        /// The file, or the name of a built-in pipeline
        file: PathBuf,
    },
}

/// The rate of a load.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// As many orders as the server answers.
    Max,
    /// A fixed number of orders a second, above 0 and at most 10,000,000.
    PerSecond(f64),
}

/// The offset at which `tap` begins in each partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// At this offset.
    Offset(u64),
    /// At the end, so that only new records are printed.
    End,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && rate <= 10_000_000.0 => Ok(rate),
        _ => Err("a rate is a number above 0 and at most 10000000".to_owned()),
    }
}

fn rate_or_max(text: &str) -> Result<Rate, String> {
    if text == "max" { Ok(Rate::Max) } else { rate(text).map(Rate::PerSecond) }
}

fn from(text: &str) -> Result<From, String> {
    if text == "end" {
        return Ok(From::End);
    }
    text.parse().map(From::Offset).map_err(|_| "an offset is a number, or `end`".to_owned())
}
