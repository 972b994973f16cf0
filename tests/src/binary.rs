//! The binary under test, as a child process.
//!
//! A child writes to files and not to pipes, so that no test has to read its output meanwhile. The child is killed
//! when its [`Running`] value is dropped and when the thread that started it ends, even if the test process crashes.

use std::{
    fs::File,
    io::{Read, Seek, Write},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tempfile::NamedTempFile;

use crate::wait_until;

/// The path of the binary: `ORDERFLOW_BIN`, or the binary that was built beside the tests.
pub fn binary() -> PathBuf {
    let built = || {
        let test = std::env::current_exe().expect("a test has a path");
        test.parent()
            .and_then(Path::parent)
            .expect("tests are built in target/PROFILE/deps")
            .join("orderflow")
    };
    let path = std::env::var_os("ORDERFLOW_BIN").map_or_else(built, PathBuf::from);
    let there = path.is_file();
    assert!(
        there,
        "there is no binary {}: run `cargo build --workspace`, or set ORDERFLOW_BIN",
        path.display()
    );
    path
}

/// The root folder of the workspace.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a folder of the workspace")
}

/// The result of a command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` if a signal ended the command.
    pub code: Option<i32>,
    /// The standard output.
    pub stdout: String,
    /// The standard error.
    pub stderr: String,
}

impl Ran {
    /// Returns the result; panics unless the command ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Returns the result; panics unless the command failed with exit code 1 and its error message or its report
    /// contains each of these words.
    #[track_caller]
    pub fn fails_naming(self, words: &[&str]) -> Self {
        let ran = self.exits(1);
        let sentence = ran.stderr.split_once("orderflow: ").map(|(_, sentence)| sentence);
        let sentence = sentence.unwrap_or_else(|| panic!("it does not say why it failed: {}", ran.stderr));
        for word in words {
            let named = sentence.contains(word) || ran.stdout.contains(word);
            assert!(named, "`{word}` is not named: {}{}", ran.stdout, ran.stderr);
        }
        ran
    }
}

/// A running command. Dropping it kills the process.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl Running {
    /// Starts the binary with these arguments. Of the `ORDERFLOW_…` variables it gets only `settings`, and it has no
    /// stored log-ins of the user that runs the tests.
    pub fn start(arguments: &[&str], settings: &[(String, String)]) -> Self {
        Self::start_with(arguments, settings, Stdio::null())
    }

    /// Starts the binary as [`Self::start`] does, with this text on its standard input.
    pub fn start_with_input(arguments: &[&str], settings: &[(String, String)], input: &str) -> Self {
        let mut file = tempfile::tempfile().expect("temporary files can be made");
        let written = file.write_all(input.as_bytes()).and_then(|()| file.rewind());
        written.expect("temporary files can be written");
        Self::start_with(arguments, settings, file.into())
    }

    fn start_with(arguments: &[&str], settings: &[(String, String)], input: Stdio) -> Self {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ORDERFLOW_") {
                command.env_remove(name);
            }
        }
        command.env("XDG_CONFIG_HOME", "/nowhere");
        command.args(arguments).envs(settings.iter().map(|(name, value)| (name, value)));
        let (stdout, stderr) = (output(), output());
        let handle =
            |file: &NamedTempFile| Stdio::from(file.reopen().expect("an open file can be opened again"));
        command.stdin(input).stdout(handle(&stdout)).stderr(handle(&stderr));
        die_with_parent(&mut command, Signal::KILL);
        let child = command.spawn().expect("the binary can be started");
        Self { child, stdout, stderr }
    }

    /// The standard output so far.
    pub fn stdout(&self) -> String {
        read(self.stdout.path())
    }

    /// The standard error so far.
    pub fn stderr(&self) -> String {
        read(self.stderr.path())
    }

    /// Whether the process is still running.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// The most memory that the process has had so far.
    pub fn memory_bytes_max(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("Linux tells about processes");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
        kib.expect("Linux tells the peak in kB") << 10
    }

    /// Sends a signal: SIGINT is what Ctrl-C sends, SIGTERM what a service manager sends.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("process ids are positive"), signal).expect("a child can be signalled");
    }

    /// Kills the process at once, without a chance to clean up.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Waits until the process ends.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let ended: ExitStatus =
            wait_until("the process ends", || self.child.try_wait().expect("a child can be waited for"));
        Ran { code: ended.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process may have ended already, which is not an error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the kernel send `signal` to the child when the thread that spawns it ends.
#[expect(unsafe_code, reason = "the only way to run something in the child; what runs is one system call")]
pub(crate) fn die_with_parent(command: &mut Command, signal: Signal) {
    // SAFETY: prctl is async-signal-safe, and the closure allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || Ok(set_parent_process_death_signal(Some(signal))?));
    }
}

fn output() -> NamedTempFile {
    NamedTempFile::with_prefix("orderflow-test-").expect("temporary files can be made")
}

fn read(path: &Path) -> String {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.expect("what a child printed can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}
