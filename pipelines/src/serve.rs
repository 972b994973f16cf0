//! `orderflow serve`: runs until a signal stops it or a part of it fails.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Serve,
    settings::{Configuration, PipelineFile},
    system::System,
    telemetry::{TelemetrySettings, log_writer::write_line, metrics, otlp},
};

/// The longest time that sending the last spans may take at a stop.
const SEND_REST_WITHIN: Duration = Duration::from_secs(10);

/// Runs the pipeline until a signal stops it or a part of it fails.
pub async fn run(serve: Serve) -> Result<()> {
    let pipeline = PipelineFile::read(serve.pipeline.as_deref())?;
    let configuration = Configuration::new(pipeline.settings(serve.settings)?, pipeline.lifecycle)?;
    check_access(serve.insecure_no_auth, &configuration)?;
    metrics::install();
    raise_open_files();
    let traces = Traces::start(&configuration.telemetry)?;
    // From here on, a signal leads to an orderly stop. A signal during the start takes effect after the start.
    let stop = stop_signal()?;
    let mut system = System::start(&configuration).await?;
    let (address, lifecycle) = (system.address, &configuration.lifecycle.name);
    let scheme = if configuration.tls_files().is_some() { "https" } else { "http" };
    write_line(&format!(
        "orderflow serves {lifecycle} on {scheme}://{address} from {}",
        configuration.data.display()
    ));
    if let Some(address) = system.monitoring_address {
        write_line(&format!("orderflow serves health and metrics on http://{address}"));
    }
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"), %address, %lifecycle, data = %configuration.data.display(), "serving"
    );
    let ended = system.run(stop).await;
    tracing::info!("stopping");
    let stopped = system.stop().await;
    traces.stop().await;
    tracing::info!("stopped");
    ended.and(stopped)
}

/// Lets the process open as many files as it may, because each connection is one. Many systems start programs with a
/// lower limit than they allow.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit });
    if let Err(error) = raised {
        tracing::debug!(%error, "the limit on open files stays as it is");
    }
}

/// The task that sends traces, if a collector is configured.
struct Traces {
    sending: JoinSet<()>,
    stop: CancellationToken,
}

impl Traces {
    fn start(settings: &TelemetrySettings) -> Result<Self> {
        let (mut sending, stop) = (JoinSet::new(), CancellationToken::new());
        if let Some(sender) = otlp::install(settings)? {
            sending.spawn(sender.run(stop.clone()));
        }
        Ok(Self { sending, stop })
    }

    /// Sends the spans that were recorded, and gives up after [`SEND_REST_WITHIN`].
    async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(SEND_REST_WITHIN, self.sending.join_next()).await.is_err() {
            tracing::warn!("the OpenTelemetry collector is too slow; the last traces are dropped");
        }
    }
}

/// Returns an error unless only this machine can connect: there are no accounts yet, so callers state their own
/// identity.
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

/// A future that completes when the process is asked to stop, by Ctrl-C or SIGTERM. Signals are caught from this call
/// on.
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
