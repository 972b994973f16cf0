//! Servers and commands as child processes, and the resources they used.
//!
//! A server ends when its [`Server`] value is dropped. Its port was free a moment before the start.

use std::{
    fs::{File, read_to_string},
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::bare;

/// The longest time that a server may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two readiness checks.
const ASK_EVERY: Duration = Duration::from_micros(200);
/// Ticks a second, in which Linux counts processor time for `/proc` on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that is ready for requests.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// The time from starting the process to its first successful response at `/health/ready`.
    pub ready_after: Duration,
    _complaints: TempDir,
}

/// The resources that a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Processor time of all threads, in seconds.
    pub cpu_s: f64,
    /// The peak of the resident memory (`VmHWM`), in bytes.
    pub memory_bytes_max: u64,
}

impl Server {
    /// Starts `orderflow serve` on a data directory and waits until it is ready.
    pub fn orderflow(data: &Path) -> Result<Self> {
        let mut command = command(&binary()?);
        command.args(["serve", "--insecure-no-auth", "--data"]).arg(data).arg("--listen");
        Self::start(command)
    }

    /// Starts the bare server: this benchmark's program with another argument, see [`bare`].
    pub fn bare() -> Result<Self> {
        let mut command = command(&std::env::current_exe()?);
        command.arg(bare::ARGUMENT);
        Self::start(command)
    }

    fn start(mut command: Command) -> Result<Self> {
        let address = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let complaints = tempfile::tempdir()?;
        let stderr = complaints.path().join("stderr");
        command.arg(address.to_string()).stdout(Stdio::null()).stderr(File::create(&stderr)?);
        let started = Instant::now();
        let child = command.spawn().context("a server cannot be started")?;
        let mut server = Self { child, address, ready_after: Duration::ZERO, _complaints: complaints };
        while !is_ready(address) {
            if server.child.try_wait()?.is_some() {
                bail!("a server ended: {}", read_to_string(stderr)?);
            }
            ensure!(started.elapsed() < READY_WITHIN, "a server was not ready within {READY_WITHIN:?}");
            sleep(ASK_EVERY);
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    /// The URL of the server.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The resources that the server has used so far.
    pub fn usage(&self) -> Result<Usage> {
        let of = |file: &str| read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let (stat, status) = (of("stat")?, of("status")?);
        let usage = cpu_s(&stat).zip(memory_bytes_max(&status));
        let (cpu_s, memory_bytes_max) = usage.context("/proc does not say what a process used")?;
        Ok(Usage { cpu_s, memory_bytes_max })
    }

    /// Asks the server to stop, and waits until it has stopped in order.
    pub fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("a process id is positive")?, Signal::TERM)?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "the server did not stop in order: {ended}");
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process may have ended already, which is not an error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary with these arguments until it ends. Returns its standard output.
pub fn orderflow(arguments: &[&str]) -> Result<String> {
    let ran = command(&binary()?).args(arguments).output().context("the binary cannot be started")?;
    let complaints = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "orderflow {}: {complaints}", arguments.join(" "));
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// The root folder of the workspace.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a folder of the workspace")
}

/// The path of the binary that was built beside this benchmark.
fn binary() -> Result<PathBuf> {
    let benchmark = std::env::current_exe()?;
    let folder =
        benchmark.parent().and_then(Path::parent).context("benchmarks are in target/release/deps")?;
    let path = folder.join("orderflow");
    let missing = || format!("there is no {}: run `cargo build --workspace --release`", path.display());
    ensure!(path.is_file(), missing());
    Ok(path)
}

/// A command without the `ORDERFLOW_…` settings of this shell.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDERFLOW_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    asked().unwrap_or(false)
}

/// The processor time in `/proc/PID/stat` (fields 14 and 15), in seconds. The name, field 2, is in brackets because
/// it may contain spaces.
fn cpu_s(stat: &str) -> Option<f64> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
}

fn memory_bytes_max(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
