//! Servers and commands as child processes, and what they used of the machine.
//!
//! A server ends with the value that holds it. Its port is one that was free a moment before.

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

/// How long a server may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked.
const ASK_EVERY: Duration = Duration::from_micros(200);
/// What the kernel counts processor time in, on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that is ready.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    /// From starting the process to its first good answer at `/health/ready`.
    pub ready_after: Duration,
    _complaints: TempDir,
}

/// What a process has used so far.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Seconds on a core, its threads together.
    pub cpu_s: f64,
    /// The most memory it ever had at a time (`VmHWM`).
    pub memory_bytes_max: u64,
}

impl Server {
    /// `orderflow serve` on a data directory.
    pub fn orderflow(data: &Path) -> Result<Self> {
        let mut command = command(&binary()?);
        command.args(["serve", "--insecure-no-auth", "--data"]).arg(data).arg("--listen");
        Self::start(command)
    }

    /// The bare server: this benchmark once more, see [`bare`].
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

    /// Where it listens, as an URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has used so far.
    pub fn usage(&self) -> Result<Usage> {
        let of = |file: &str| read_to_string(format!("/proc/{}/{file}", self.child.id()));
        let (stat, status) = (of("stat")?, of("status")?);
        let usage = cpu_s(&stat).zip(memory_bytes_max(&status));
        let (cpu_s, memory_bytes_max) = usage.context("/proc does not say what a process used")?;
        Ok(Usage { cpu_s, memory_bytes_max })
    }

    /// Asks it to stop, and waits until it has, all in order.
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
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs the binary with these arguments to its end. Returns what it printed.
pub fn orderflow(arguments: &[&str]) -> Result<String> {
    let ran = command(&binary()?).args(arguments).output().context("the binary cannot be started")?;
    let complaints = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "orderflow {}: {complaints}", arguments.join(" "));
    Ok(String::from_utf8_lossy(&ran.stdout).into_owned())
}

/// The folder of the workspace.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a folder of the workspace")
}

/// The binary that was built beside this benchmark.
fn binary() -> Result<PathBuf> {
    let benchmark = std::env::current_exe()?;
    let folder =
        benchmark.parent().and_then(Path::parent).context("benchmarks are in target/release/deps")?;
    let path = folder.join("orderflow");
    let missing = || format!("there is no {}: run `cargo build --workspace --release`", path.display());
    ensure!(path.is_file(), missing());
    Ok(path)
}

/// A command that no setting of this shell reaches.
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

/// Fields 14 and 15 of `/proc/PID/stat`; the name, field 2, may hold spaces but is in brackets.
fn cpu_s(stat: &str) -> Option<f64> {
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |field: usize| fields.get(field - 3)?.parse::<f64>().ok();
    Some((ticks(14)? + ticks(15)?) / TICKS_PER_SECOND)
}

fn memory_bytes_max(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
