//! The binary under test, as a child process.
//!
//! A child writes to files, not to pipes, so that nobody has to read along; it is killed when its value is dropped
//! and when the thread that started it dies, whatever happens to the tests.

use std::{
    fs::File,
    io::Read,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tempfile::NamedTempFile;

use crate::wait_until;

/// The binary: `ORDERFLOW_BIN`, or the one that was built beside the tests.
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

/// The folder of the workspace.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate is in a folder of the workspace")
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Ran {
    /// Panics unless it ended with this exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Panics unless it failed with exit code 1 and a sentence that has all these words, or a report that has them.
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

/// A command that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

impl Running {
    /// Starts the binary with these arguments, and of all `ORDERFLOW_…` variables only these.
    pub fn start(arguments: &[&str], settings: &[(String, String)]) -> Self {
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ORDERFLOW_") {
                command.env_remove(name);
            }
        }
        command.args(arguments).envs(settings.iter().map(|(name, value)| (name, value)));
        let (stdout, stderr) = (output(), output());
        let handle =
            |file: &NamedTempFile| Stdio::from(file.reopen().expect("an open file can be opened again"));
        command.stdin(Stdio::null()).stdout(handle(&stdout)).stderr(handle(&stderr));
        die_with_parent(&mut command, Signal::KILL);
        let child = command.spawn().expect("the binary can be started");
        Self { child, stdout, stderr }
    }

    /// What it has printed so far.
    pub fn stdout(&self) -> String {
        read(self.stdout.path())
    }

    /// What it has complained about so far.
    pub fn stderr(&self) -> String {
        read(self.stderr.path())
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// Asks it to stop, as Ctrl-C does with SIGINT and a service manager with SIGTERM.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("process ids are positive"), signal).expect("a child can be signalled");
    }

    /// Ends it as a power cut of the process would: at once and unasked.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let ended: ExitStatus =
            wait_until("the process ends", || self.child.try_wait().expect("a child can be waited for"));
        Ran { code: ended.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends this signal to the child when the thread that spawns it ends.
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
