//! Runs Schemathesis, which checks a server against its own description.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{binary::die_with_parent, copy_folder, peers_are_required, repository};

/// The environment variable that names the program if `.ci/test` did not install it.
const PROGRAM: &str = "ORDERFLOW_SCHEMATHESIS";
/// The environment variable with the number of generated requests for each operation.
const EXAMPLES: &str = "ORDERFLOW_SCHEMATHESIS_EXAMPLES";
/// Enough to call every operation in every way that the document allows; a nightly run takes more.
const EXAMPLES_DEFAULT: &str = "5";
/// The environment variable with the seed of what is generated; `random` for another one each time.
const SEED: &str = "ORDERFLOW_SCHEMATHESIS_SEED";

/// Schemathesis with the hooks and settings in `tests/schemathesis`.
#[derive(Debug)]
pub struct Schemathesis {
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Schemathesis {
    /// The installed program. If it is neither installed nor required, prints a message and returns `None`.
    pub fn find(variables: Vec<(&'static str, String)>) -> Option<Self> {
        let cached = std::env::var_os("HOME")
            .map(|home| Path::new(&home).join(".cache/orderflow-tools/schemathesis/bin/schemathesis"));
        let named = std::env::var_os(PROGRAM).map(PathBuf::from);
        let Some(program) = named.into_iter().chain(cached).find(|program| program.is_file()) else {
            assert!(!peers_are_required(), "Schemathesis is not installed: `.ci/test --tools` gets it");
            eprintln!("skipped: Schemathesis is not installed; `.ci/test --tools` gets it");
            return None;
        };
        Some(Self { program, variables })
    }

    /// Checks the server at this URL and returns the report; panics with what was found if anything was.
    #[track_caller]
    pub fn check(&self, url: &str, arguments: &[&str]) -> Value {
        let folder = tempfile::tempdir().expect("temporary folders can be made");
        let report = folder.path().join("report.json");
        // It keeps what failed in the directory where it runs.
        let work = folder.path().join("work");
        copy_folder(&repository().join("tests/schemathesis"), &work);
        let examples = std::env::var(EXAMPLES).unwrap_or_else(|_| EXAMPLES_DEFAULT.to_owned());
        let seed = std::env::var(SEED).unwrap_or_else(|_| "1".to_owned());
        let mut command = Command::new(&self.program);
        command
            .args(["--config-file", "schemathesis.toml", "run", &format!("{url}/openapi.json")])
            .args(["--no-color", "--continue-on-failure", "--max-examples", &examples])
            .args(["--report", "json", "--report-json-path"])
            .arg(&report)
            .args(arguments)
            .current_dir(&work)
            .env("ORDERFLOW_URL", url)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::null());
        if seed != "random" {
            command.args(["--seed", &seed]);
        }
        die_with_parent(&mut command, Signal::KILL);
        let output = command.output().expect("Schemathesis can be started");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let report = std::fs::read(&report).expect("a run leaves a report");
        serde_json::from_slice(&report).expect("the report is JSON")
    }
}
