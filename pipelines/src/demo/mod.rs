//! `orderflow demo`: a whole system in a temporary directory, with a simulated market that keeps it busy.
//!
//! The market uses the system over HTTP, as any client does. At the end the system stops in order, and the log is
//! verified against the database. The exit code says whether everything balances.

mod counts;
mod market;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Result, bail, ensure};
use orderflow_verify::Resources;
use tokio_util::sync::CancellationToken;

use self::{counts::Counts, market::Market};
use crate::{
    cli::Demo,
    remote::{Server, Target},
    serve,
    settings::{Configuration, PipelineFile, Settings},
    system::{Access, System},
    telemetry::metrics,
    verify::verify,
};

/// The built-in lifecycle of the market: what is short is not ordered, couriers report, and parcels come back.
const LIFECYCLE: &str = "delivery";

/// Runs the demo until its duration is over or a signal stops it.
pub async fn run(demo: Demo) -> Result<()> {
    ensure!(demo.listen.ip().is_loopback(), "the demo has no accounts, so it listens on loopback only");
    let data = tempfile::Builder::new().prefix("orderflow-demo-").tempdir()?;
    let settings = Settings {
        data: data.path().to_owned(),
        listen: demo.listen,
        database: demo.database.clone(),
        ..Settings::default()
    };
    let configuration =
        Configuration::new(settings, PipelineFile::read(Some(Path::new(LIFECYCLE)))?.lifecycle)?;
    metrics::install();
    let stopped = serve::stop_signal()?;
    let mut system = System::start(&configuration, Access::TrustedHeaders).await?;
    introduce(&system, &configuration);
    let counts = Arc::new(Counts::default());
    let ended = trade(&mut system, &demo, &counts, stopped).await;
    let stopped = system.stop().await;
    ended.and(stopped)?;
    let report = verify(&configuration, &Resources::default()).await?;
    eprint!("{report}");
    match report.differences.count() {
        0 => Ok(()),
        found => bail!("{found} differences"),
    }
}

fn introduce(system: &System, configuration: &Configuration) {
    let address = system.address;
    eprintln!("orderflow demo on http://{address}, data in {}", configuration.data.display());
    eprintln!("  every route: http://{address}/docs/");
    eprintln!("  log in with headers, for example:");
    eprintln!("  curl http://{address}/orders?limit=3                      # as admin");
    eprintln!("  curl http://{address}/inventory                           # stock");
    eprintln!(
        "  curl -H 'X-Orderflow-Role: customer' -H 'X-Orderflow-Subject: customer-7' http://{address}/orders"
    );
    eprintln!(
        "  curl http://{address}/orders/ID/shipment                   # of an order above: what couriers reported"
    );
    eprintln!("  curl http://{address}/health http://{address}/metrics");
}

/// Runs the market until the duration is over, a signal arrives, or the system fails.
async fn trade(
    system: &mut System,
    demo: &Demo,
    counts: &Arc<Counts>,
    stopped: impl Future<Output = ()>,
) -> Result<()> {
    let target = Target::with_headers(Server::at(&format!("http://{}", system.address), None)?);
    let stop = CancellationToken::new();
    let market = tokio::spawn(Market::new(target, demo.rate, counts.clone()).run(stop.clone()));
    let watching = tokio::spawn(counts.clone().show(stop.clone()));
    let over = demo.duration.unwrap_or(Duration::MAX);
    let shutdown = async {
        tokio::select! {
            () = tokio::time::sleep(over) => {}
            () = stopped => {}
        }
    };
    let ended = system.run(shutdown).await;
    stop.cancel();
    let traded = market.await?;
    watching.await?;
    ended.and(traded)
}
