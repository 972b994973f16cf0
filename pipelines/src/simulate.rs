//! `orderflow simulate`: hands over to the simulator, which is a separate program.

use std::{io, os::unix::process::CommandExt, path::PathBuf, process::Command};

use anyhow::{Result, anyhow};

use crate::cli::Simulate;

const PROGRAM: &str = "orderflow-simulate";

/// Replaces this process by the simulator. Returns only if that fails.
pub fn run(args: &Simulate) -> Result<()> {
    let program = beside_this_program().unwrap_or_else(|| PathBuf::from(PROGRAM));
    let error = Command::new(&program).args(&args.arguments).exec();
    Err(match error.kind() {
        io::ErrorKind::NotFound => anyhow!(
            "the simulator is a program of its own, {PROGRAM}, and it is neither beside this one nor in PATH; in a \
             checkout, `cargo build --bin {PROGRAM}` builds it"
        ),
        _ => anyhow!("{} cannot be run: {error}", program.display()),
    })
}

/// The simulator beside this program's executable, if there is one; otherwise the PATH is searched.
fn beside_this_program() -> Option<PathBuf> {
    let this = std::env::current_exe().ok()?;
    let beside = this.parent()?.join(PROGRAM);
    beside.is_file().then_some(beside)
}
