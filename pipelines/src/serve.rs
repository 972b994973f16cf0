//! `orderflow serve`: runs until it is told to stop, or a part of it fails.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Serve,
    settings::{Configuration, PipelineFile},
    system::System,
    telemetry::{TelemetrySettings, metrics, otlp},
};

/// How long the last traces may take.
const SEND_REST_WITHIN: Duration = Duration::from_secs(10);

/// Runs the pipeline.
pub async fn run(serve: Serve) -> Result<()> {
    let pipeline = PipelineFile::read(serve.pipeline.as_deref())?;
    let configuration = Configuration::new(pipeline.settings(serve.settings)?, pipeline.lifecycle)?;
    check_access(serve.insecure_no_auth, &configuration)?;
    metrics::install();
    let traces = Traces::start(&configuration.telemetry)?;
    // From here on a signal is an orderly stop: once the start is over, where it comes during that.
    let stop = stop_signal()?;
    let mut system = System::start(&configuration).await?;
    let (address, lifecycle) = (system.address, &configuration.lifecycle.name);
    eprintln!("orderflow serves {lifecycle} on http://{address} from {}", configuration.data.display());
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

/// The sending of traces, if a collector is named.
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

    /// Sends what was recorded, if the collector takes it soon.
    async fn stop(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(SEND_REST_WITHIN, self.sending.join_next()).await.is_err() {
            tracing::warn!("the OpenTelemetry collector is too slow; the last traces are dropped");
        }
    }
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
