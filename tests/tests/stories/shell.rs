//! One session of bash in which the commands of a page run, as a reader types them into one terminal.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use tempfile::TempDir;

use super::page::Step;

/// A session. A command that fails ends it, and so does a variable that is not set.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    done: BufReader<ChildStdout>,
    folder: TempDir,
}

impl Shell {
    /// Opens a session in which `URL` is the server's. It reads no settings of curl's user.
    pub fn open(url: &str) -> Self {
        let folder = TempDir::with_prefix("orderflow-test-").unwrap();
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-s"]).env("URL", url).env("HOME", folder.path());
        command.env("no_proxy", "127.0.0.1").env_remove("XDG_CONFIG_HOME").current_dir(folder.path());
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("there is a bash");
        let (input, done) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, input, done, folder }
    }

    /// Runs the commands of a step and returns what they print.
    #[track_caller]
    pub fn run(&mut self, step: &Step, at: &str) -> String {
        let path = |name: &str| self.folder.path().join(format!("{}.{name}", step.line));
        fs::write(path("sh"), &step.commands).unwrap();
        let name = step.line;
        let line = format!("source ./{name}.sh >{name}.out 2>{name}.err </dev/null\necho done\n");
        self.input.write_all(line.as_bytes()).unwrap();
        let mut done = String::new();
        self.done.read_line(&mut done).unwrap();
        let text = |name| String::from_utf8_lossy(&fs::read(path(name)).unwrap_or_default()).into_owned();
        let (printed, errors) = (text("out"), text("err"));
        assert!(done == "done\n", "{at}: a command failed: {}\n{printed}\n{errors}", step.commands);
        assert!(errors.is_empty(), "{at}: {errors}");
        printed
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // It may have ended already, which is not an error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
