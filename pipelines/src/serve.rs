//! `orderflow serve`: runs until a signal stops it or a part of it fails.

use std::{
    env::{self, VarError},
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use orderflow_accounts::FirstAdmin;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::Serve,
    settings::{Configuration, PipelineFile},
    system::{Access, System},
    telemetry::{TelemetrySettings, log_writer::write_line, metrics, otlp},
};

/// The longest time that sending the last spans may take at a stop.
const SEND_REST_WITHIN: Duration = Duration::from_secs(10);

/// Runs the pipeline until a signal stops it or a part of it fails.
pub async fn run(serve: Serve) -> Result<()> {
    let pipeline = PipelineFile::read(serve.pipeline.as_deref())?;
    let configuration = Configuration::new(pipeline.settings(serve.settings)?, pipeline.lifecycle)?;
    let access = access(serve.insecure_no_auth, &configuration)?;
    if matches!(access, Access::Tokens(_)) && configuration.is_open_to_eavesdroppers() {
        tracing::warn!(
            listen = %configuration.listen,
            "passwords and tokens can be read on the network: give --tls-cert and --tls-key, or put the addresses of a \
             proxy with TLS into --trusted-proxies"
        );
    }
    metrics::install();
    raise_open_files();
    let traces = Traces::start(&configuration.telemetry)?;
    // From here on, a signal leads to an orderly stop. A signal during the start takes effect after the start.
    let stop = stop_signal()?;
    let mut system = System::start(&configuration, access).await?;
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

/// The environment variables with the first admin.
const ADMIN_EMAIL: &str = "ORDERFLOW_ADMIN_EMAIL";
const ADMIN_PASSWORD: &str = "ORDERFLOW_ADMIN_PASSWORD";

/// How callers are determined. Headers are trusted only if nobody but this machine can connect.
fn access(insecure_no_auth: bool, configuration: &Configuration) -> Result<Access> {
    if !insecure_no_auth {
        return match (env::var(ADMIN_EMAIL), env::var(ADMIN_PASSWORD)) {
            (Ok(email), Ok(password)) => Ok(Access::Tokens(Some(FirstAdmin { email, password }))),
            (Err(VarError::NotPresent), Err(VarError::NotPresent)) => Ok(Access::Tokens(None)),
            _ => bail!("{ADMIN_EMAIL} and {ADMIN_PASSWORD} belong together, as texts in UTF-8"),
        };
    }
    ensure!(
        configuration.listen.ip().is_loopback(),
        "--insecure-no-auth trusts every caller, so it listens on loopback only; {} is not",
        configuration.listen
    );
    Ok(Access::TrustedHeaders)
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
