//! `orderflow serve`: runs until it is told to stop, or a part of it fails.

use anyhow::{Context, Result, ensure};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    cli::Serve,
    metrics_endpoint,
    settings::{Configuration, PipelineFile},
    system::System,
};

/// Runs the pipeline.
pub async fn run(serve: Serve) -> Result<()> {
    let pipeline = PipelineFile::read(serve.pipeline.as_deref())?;
    let configuration = Configuration::new(pipeline.settings(serve.settings)?, pipeline.lifecycle)?;
    check_access(serve.insecure_no_auth, &configuration)?;
    metrics_endpoint::install();
    // From here on a signal is an orderly stop: once the start is over, where it comes during that.
    let stop = stop_signal()?;
    let mut system = System::start(&configuration).await?;
    let (address, lifecycle) = (system.address, &configuration.lifecycle.name);
    eprintln!("orderflow serves {lifecycle} on http://{address} from {}", configuration.data.display());
    let ended = system.run(stop).await;
    tracing::info!("stopping");
    let stopped = system.stop().await;
    ended.and(stopped)
}

/// There are no accounts yet: the caller says who they are, so only this machine may call.
fn check_access(insecure_no_auth: bool, configuration: &Configuration) -> Result<()> {
    ensure!(
        insecure_no_auth,
        "this version has no accounts: add --insecure-no-auth to take the caller from headers, on loopback only"
    );
    ensure!(
        configuration.listen.ip().is_loopback(),
        "--insecure-no-auth trusts every caller, so it listens on loopback only; {} is not",
        configuration.listen
    );
    Ok(())
}

/// Ready when the process is asked to stop: Ctrl-C or SIGTERM. It is heard from this call on.
pub fn stop_signal() -> Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt()).context("no handler for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("no handler for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
