//! The binary `orderflow`.

use std::process::ExitCode;

use clap::Parser;
use orderflow_pipelines::{
    cli::{Cli, Command},
    telemetry::logs,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The least number of threads that serve requests. It exceeds the cores of a small machine, so that a processor busy
/// with a large batch does not keep requests waiting for a thread.
const WORKERS_MIN: usize = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let default = if matches!(cli.command, Command::Serve(_)) { "info" } else { "warn" };
    let logs = match logs::init(&cli.logs, default) {
        Ok(logs) => logs,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    let workers =
        std::thread::available_parallelism().map_or(WORKERS_MIN, |cores| cores.get().max(WORKERS_MIN));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}")),
    };
    let ended = runtime.block_on(orderflow_pipelines::run(cli));
    // Dropping the guard writes all log lines, so that the error message comes last.
    drop(logs);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&sentence(&error)),
    }
}

/// An error and its causes in one line. If an error repeats the text of its cause, that text is printed once.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(|cause| cause.to_string()) {
        if !sentence.contains(cause.trim_end()) {
            let separator = if sentence.is_empty() { "" } else { ": " };
            sentence.push_str(separator);
            sentence.push_str(cause.trim_end());
        }
    }
    sentence
}

/// Whether the error is a closed output pipe: the reader has seen enough.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
    kind == Some(std::io::ErrorKind::BrokenPipe)
}

/// Prints one sentence and returns exit code 1.
fn fail(message: &str) -> ExitCode {
    eprintln!("orderflow: {message}");
    ExitCode::FAILURE
}
