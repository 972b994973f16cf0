//! A data directory for a test, and the server on it, which the test starts, stops, kills and restarts.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{Client, Cluster, Database, Ran, Running, wait_until};

/// The environment of a test: a data directory, removed at the end, and the settings of its servers.
#[derive(Debug)]
pub struct Stage {
    /// The folder with the data directory, and with other files that a test writes.
    pub folder: TempDir,
    data: PathBuf,
    settings: Vec<(String, String)>,
    pipeline: Option<String>,
    /// Keeps the cluster running that has the database; `None` with SQLite in the data directory.
    #[expect(dead_code, reason = "it runs as long as somebody has it")]
    cluster: Option<Arc<Cluster>>,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// A stage with an empty data directory. Its servers have small segments, so that several are filled quickly, and
    /// wait long for a decision. With `ORDERFLOW_TEST_DATABASE=postgres`, every stage has its database in Postgres.
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("orderflow-test-").expect("temporary directories can be made");
        let data = folder.path().join("data");
        let settings = vec![
            ("ORDERFLOW_SEGMENT_BYTES".to_owned(), (4 << 20).to_string()),
            // On a machine that runs nothing else, decisions are fast. On a busy machine they take longer.
            ("ORDERFLOW_DECISION_WITHIN_S".to_owned(), "60".to_owned()),
        ];
        let stage = Self { folder, data, settings, pipeline: None, cluster: None };
        let postgres = std::env::var("ORDERFLOW_TEST_DATABASE").is_ok_and(|database| database == "postgres");
        if postgres { stage.on_postgres() } else { stage }
    }

    /// The same stage with a new database in the cluster that tests share.
    #[must_use]
    pub fn on_postgres(self) -> Self {
        let cluster = Cluster::shared();
        let stage = self.database(&cluster.database());
        Self { cluster: Some(cluster), ..stage }
    }

    /// The same stage with another data directory.
    #[must_use]
    pub fn on(self, data: PathBuf) -> Self {
        Self { data, ..self }
    }

    /// The same stage with this pipeline, a file or a name.
    #[must_use]
    pub fn pipeline(self, pipeline: impl Into<String>) -> Self {
        Self { pipeline: Some(pipeline.into()), ..self }
    }

    /// The same stage with this database instead of SQLite in the data directory.
    #[must_use]
    pub fn database(self, database: &Database) -> Self {
        self.with("database", &database.url)
    }

    /// The same stage with this setting, such as `segment_bytes`, for servers started from now on.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.set(name, value);
        self
    }

    /// Changes a setting for servers started from now on.
    pub fn set(&mut self, name: &str, value: impl ToString) {
        let name = format!("ORDERFLOW_{}", name.to_uppercase());
        self.settings.retain(|(there, _)| *there != name);
        self.settings.push((name, value.to_string()));
    }

    /// The path of the data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    fn data_text(&self) -> &str {
        self.data.to_str().expect("temporary directories have UTF-8 names")
    }

    /// Starts a server on a free port with these additional arguments, without waiting until it serves.
    pub fn start(&self, more: &[&str]) -> Running {
        let mut arguments = vec!["serve", "--data", self.data_text(), "--listen", "127.0.0.1:0"];
        if let Some(pipeline) = &self.pipeline {
            arguments.extend(["--pipeline", pipeline]);
        }
        arguments.extend(more);
        Running::start(&arguments, &self.settings)
    }

    /// Starts `orderflow serve` without arguments, only with the settings.
    pub fn start_bare(&self) -> Running {
        Running::start(&["serve"], &self.settings)
    }

    /// Starts a server and waits until it serves.
    #[track_caller]
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Starts a server with these additional arguments and waits until it serves.
    #[track_caller]
    pub fn serve_with(&self, more: &[&str]) -> Server {
        Self::wait(self.start(&[&["--insecure-no-auth"], more].concat()))
    }

    /// Starts a server that asks for tokens, and waits until it serves.
    #[track_caller]
    pub fn serve_with_accounts(&self) -> Server {
        Self::wait(self.start(&[]))
    }

    #[track_caller]
    fn wait(mut running: Running) -> Server {
        let address = wait_until("the server says where it serves", || {
            let alive = running.is_alive();
            let said = running.stderr();
            let address = said.lines().find_map(address_in);
            assert!(alive || address.is_some(), "the server ended: {said}");
            address
        });
        Server { running, address }
    }

    /// Runs `orderflow` with these arguments until it ends.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Running::start(arguments, &[]).wait()
    }

    /// Runs `orderflow` with these arguments and `--data` until it ends.
    #[track_caller]
    pub fn run_on_data(&self, arguments: &[&str]) -> Ran {
        self.run(&[arguments, &["--data", self.data_text()]].concat())
    }

    /// Runs `orderflow verify` on the data directory.
    #[track_caller]
    pub fn verify(&self) -> Ran {
        let pipeline: Vec<&str> =
            self.pipeline.iter().flat_map(|name| ["--pipeline", name.as_str()]).collect();
        let arguments = [&["verify", "--data", self.data_text()], pipeline.as_slice()].concat();
        let database: Vec<_> =
            self.settings.iter().filter(|(name, _)| name == "ORDERFLOW_DATABASE").cloned().collect();
        Running::start(&arguments, &database).wait()
    }

    /// Panics unless `orderflow verify` finds no difference. Events that the database does not show at a stop are no
    /// difference: it shows them after the next start.
    #[track_caller]
    pub fn verify_clean(&self) -> String {
        let ran = self.verify().exits(0);
        assert!(ran.stdout.contains("no difference"), "{}", ran.stdout);
        ran.stdout
    }
}

/// Parses the address in `orderflow serves … on http://ADDRESS from …`, or `https://`.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.strip_prefix("orderflow serves ")?.split_once("://")?;
    rest.split(' ').next()?.parse().ok()
}

/// A server that is ready for requests.
#[derive(Debug)]
pub struct Server {
    running: Running,
    /// The address that the server listens on.
    pub address: SocketAddr,
}

impl Server {
    /// The URL of the server, as `--url` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The URL of a server with a certificate.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The address of health and metrics alone, with `metrics_listen`.
    #[track_caller]
    pub fn metrics_address(&self) -> SocketAddr {
        wait_until("the server says where its metrics are", || {
            let said = self.running.stderr();
            let line = said.lines().find(|line| line.starts_with("orderflow serves health and metrics"));
            line.and_then(address_in)
        })
    }

    /// The most memory that the server has had so far.
    pub fn memory_bytes_max(&self) -> u64 {
        self.running.memory_bytes_max()
    }

    /// A client in this role, with this name.
    pub fn client(&self, role: &str, subject: &str) -> Client {
        Client::new(self.address).with("x-orderflow-role", role).with("x-orderflow-subject", subject)
    }

    /// A client with this access token.
    pub fn bearer(&self, token: &str) -> Client {
        Client::new(self.address).with("authorization", format!("Bearer {token}"))
    }

    /// A client in the role `admin`.
    pub fn admin(&self) -> Client {
        self.client("admin", "ada")
    }

    /// A client in the role `customer`.
    pub fn customer(&self, name: &str) -> Client {
        self.client("customer", name)
    }

    /// A client in the role `courier`.
    pub fn courier(&self) -> Client {
        self.client("courier", "curt")
    }

    /// The server's standard error so far.
    pub fn stderr(&self) -> String {
        self.running.stderr()
    }

    /// Asks the server to stop with SIGTERM, without waiting.
    pub fn ask_to_stop(&self) {
        self.running.signal(Signal::TERM);
    }

    /// Asks the server to stop with SIGINT, as Ctrl-C does, without waiting.
    pub fn interrupt(&self) {
        self.running.signal(Signal::INT);
    }

    /// Waits until the server has ended.
    #[track_caller]
    pub fn wait(self) -> Ran {
        self.running.wait()
    }

    /// Stops the server in order and waits for its end; panics if that fails.
    #[track_caller]
    pub fn stop(self) -> Ran {
        self.ask_to_stop();
        self.wait().exits(0)
    }

    /// Kills the server while other threads still use this value.
    pub fn kill_now(&self) {
        self.running.signal(Signal::KILL);
    }

    /// Kills the server.
    pub fn kill(mut self) {
        self.running.kill();
    }
}
