//! Runs Debian's Prometheus, which scrapes a server under test.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::{Client, binary::die_with_parent, repository, wait_until};

/// The environment variable that names the program if it is not on the PATH.
const PROGRAM: &str = "ORDERFLOW_PROMETHEUS";
/// If this variable is `required`, a missing optional program is an error.
const PEERS: &str = "ORDERFLOW_TEST_PEERS";

/// Whether a missing optional program is an error.
pub fn peers_are_required() -> bool {
    std::env::var(PEERS).is_ok_and(|peers| peers == "required")
}

/// A Prometheus with the alerts of `infra/`, in a separate directory.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes this server every second. If the program is neither installed nor required,
    /// prints a message and returns `None`.
    pub fn start(server: SocketAddr) -> Option<Self> {
        let Some(program) = program() else {
            assert!(!peers_are_required(), "Prometheus is not installed: `.ci/test --tools` gets Debian's");
            eprintln!("skipped: Prometheus is not installed; `.ci/test --tools` gets Debian's");
            return None;
        };
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        // The port is free again at once, and no other program asks for this number.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let address = free.expect("a port is free");
        let config = folder.path().join("prometheus.yaml");
        let text = fs::read_to_string(repository().join("infra/prometheus/prometheus.yaml"));
        let text = text.expect("infra has a configuration").replace("127.0.0.1:8080", &server.to_string());
        let text = text.replace("interval: 10s", "interval: 1s");
        fs::write(&config, text).expect("a temporary folder can be written");
        let alerts = repository().join("infra/prometheus/alerts.yaml");
        fs::copy(alerts, folder.path().join("alerts.yaml")).expect("infra has alerts");
        let mut command = Command::new(program);
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        die_with_parent(&mut command, Signal::KILL);
        let child = command.spawn().expect("Prometheus can be started");
        let prometheus = Self { child, address, _folder: folder };
        let client = Client::new(address);
        wait_until("Prometheus is ready", || {
            let ready = client.try_send("GET", "/-/ready", b"").ok()?;
            (ready.status == 200).then_some(())
        });
        Some(prometheus)
    }

    /// The result of a call of the Prometheus API.
    #[track_caller]
    pub fn call(&self, path: &str) -> Value {
        let answer = Client::new(self.address).get(path).json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The current values of an expression, one for each series.
    #[track_caller]
    pub fn query(&self, expression: &str) -> Vec<f64> {
        let data = self.call(&format!("/api/v1/query?query={}", percent_encoded(expression)));
        let series = data["result"].as_array().expect("a query has results");
        let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok());
        series.iter().filter_map(value).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // The process may have ended already, which is not an error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The path of the program: the named one, the one on the PATH, or the one that `.ci/test` installs.
fn program() -> Option<PathBuf> {
    let cached = std::env::var_os("HOME")
        .map(|home| Path::new(&home).join(".cache/orderflow-tools/prometheus/usr/bin/prometheus"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("prometheus"));
    let named = std::env::var_os(PROGRAM).map(PathBuf::from);
    named.into_iter().chain(on_path).chain(cached).find(|program| program.is_file())
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}
