//! A running system: the roles of this process, wired together, started and stopped in order.
//!
//! *Start*: log, database, processors and sink, then the API. The system is ready when the processors have recovered.
//! It accepts orders also while a database on another machine is unavailable.
//! *Stop*: the API accepts no more requests, and what it accepted is appended. Processors decide the remaining
//! commands and store snapshots, the sink finishes its batch, and the log makes everything durable.
//! *Failure*: if a part fails, the whole system stops. Its work so far is in the log, and a restart continues from
//! there.

#[cfg(test)]
mod access_table;
mod listening;
mod process;
mod processors;
mod serving;
mod sinks;
mod watch;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Result, anyhow};
use orderflow_accounts::{Accounts, FirstAdmin, StoreWatch};
use orderflow_api::{Api, CustomerNames, NoNames, Part};
use orderflow_database::DatabaseReader;
use orderflow_ingest::Ingest;
use orderflow_sinks::Progress;
use orderflow_web::{Authenticator, Routes, TrustedHeaders, openapi::Callers};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use self::{
    listening::{InFlight, Listeners, Served, load_tls},
    process::Process,
    processors::{Assignment, Processors},
    watch::watch_log,
};
use crate::{
    accounts::{self, PeoplesNames},
    openapi,
    roles::Role,
    settings::Configuration,
    stores::{
        EndReads, OpenStore,
        database::{self, StoredOrders},
    },
    tls::Reload,
};

/// How long open connections may stay open after the server has begun to stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// How callers are determined.
#[derive(Clone, Debug)]
pub enum Access {
    /// By access tokens. The first admin is made if the store of accounts never had one.
    Tokens(Option<FirstAdmin>),
    /// By headers that are trusted; for a loopback address only.
    TrustedHeaders,
}

/// A running system.
pub struct System {
    /// The address that the server listens on.
    pub address: SocketAddr,
    /// The address of health and metrics alone, if there is one.
    pub monitoring_address: Option<SocketAddr>,
    process: Process,
    processors: Option<Processors>,
    ingest: Option<Arc<Ingest>>,
    end_reads: Vec<EndReads>,
    server: JoinSet<()>,
    stop_server: CancellationToken,
    stop_processors: CancellationToken,
    stop_sinks: CancellationToken,
}

/// What the listeners serve.
struct Serving {
    routes: Routes,
    /// Health and metrics alone.
    monitoring: Routes,
    authenticator: Arc<dyn Authenticator>,
    tls: Option<(TlsAcceptor, Reload)>,
    in_flight: InFlight,
}

impl Serving {
    /// Adds the read API. With a listener of their own, the metrics are only there.
    fn add_api(&mut self, api: Api, has_monitoring: bool) {
        let mut routes = std::mem::take(&mut self.routes).merge(orderflow_api::routes(api.clone()));
        if !has_monitoring {
            routes = routes.merge(orderflow_api::metrics_route(api.clone()));
        }
        self.routes = routes;
        self.monitoring = orderflow_api::monitoring_routes(api);
    }
}

impl System {
    /// Starts the roles of this process. Returns when the server answers requests and the processors have recovered.
    pub async fn start(configuration: &Configuration, access: Access) -> Result<Self> {
        let tls = load_tls(configuration)?;
        let process = Process::open(configuration).await?;
        let progress = Progress::new(process.feed.partitions());
        let opening = open_database(configuration, progress.clone(), process.health.part(database::NAME));
        let (store, reader) = process.background.handle().spawn(opening).await??;
        let mut stores = vec![store];
        let mut system = Self {
            address: configuration.listen,
            monitoring_address: None,
            process,
            processors: None,
            ingest: None,
            end_reads: Vec::new(),
            server: JoinSet::new(),
            stop_server: CancellationToken::new(),
            stop_processors: CancellationToken::new(),
            stop_sinks: CancellationToken::new(),
        };
        let callers = match access {
            Access::Tokens(_) => Callers::Tokens,
            Access::TrustedHeaders => Callers::TrustedHeaders,
        };
        let mut routes = Routes::new();
        let mut customers: Arc<dyn CustomerNames> = Arc::new(NoNames);
        let authenticator: Arc<dyn Authenticator> = match access {
            Access::TrustedHeaders => Arc::new(TrustedHeaders),
            Access::Tokens(first_admin) => {
                let accounts = system.start_accounts(configuration, first_admin).await?;
                routes = routes.merge(orderflow_accounts::routes(accounts.clone()));
                customers = Arc::new(PeoplesNames(accounts.clone()));
                accounts.authenticator().clone()
            }
        };
        let mut serving = Serving {
            routes,
            monitoring: Routes::new(),
            authenticator,
            tls,
            in_flight: InFlight::new(configuration),
        };
        for role in configuration.roles.iter() {
            match role {
                Role::Processors => system.start_processors(configuration),
                Role::Sinks => system.start_sinks(configuration, std::mem::take(&mut stores)),
                Role::Ingest => {
                    let lookup = StoredOrders { database: reader.clone(), progress: progress.clone() };
                    let routes = system.start_ingest(configuration, lookup);
                    serving.routes = std::mem::take(&mut serving.routes).merge(routes);
                }
                Role::Api => {
                    let (reader, progress) = (reader.clone(), progress.clone());
                    let api =
                        system.api(configuration, &serving.in_flight, reader, progress, customers.clone());
                    serving.add_api(api, configuration.network.metrics_listen.is_some());
                }
            }
        }
        serving.routes = openapi::with_reference(std::mem::take(&mut serving.routes), callers);
        watch_log(&mut system.process, &system.stop_sinks);
        system.listen(configuration, serving).await?;
        system.wait_recovered().await?;
        system.process.ready();
        Ok(system)
    }

    fn start_processors(&mut self, configuration: &Configuration) {
        let assignment = Assignment::all(&*self.process.topics);
        let processors =
            Processors::start(&mut self.process, configuration, &assignment, &self.stop_processors);
        self.processors = Some(processors);
    }

    fn start_sinks(&mut self, configuration: &Configuration, stores: Vec<OpenStore>) {
        for OpenStore { sink, progress, end_reads } in stores {
            sinks::start(&mut self.process, configuration.sinks, sink, progress, &self.stop_sinks);
            self.end_reads.push(end_reads);
        }
    }

    fn start_ingest(&mut self, configuration: &Configuration, lookup: StoredOrders) -> Routes {
        let Process { world, topics, feed, .. } = &self.process;
        let (lookup, lifecycle) = (Arc::new(lookup), configuration.lifecycle.clone());
        let settings = configuration.ingest.clone();
        let ingest = Ingest::start(world.clone(), topics.clone(), feed, lifecycle, lookup, settings);
        orderflow_ingest::routes(self.ingest.insert(Arc::new(ingest)).clone())
    }

    fn api(
        &self,
        configuration: &Configuration,
        in_flight: &InFlight,
        database: Arc<dyn DatabaseReader>,
        progress: Progress,
        customers: Arc<dyn CustomerNames>,
    ) -> Api {
        let in_flight = in_flight.clone();
        Api {
            database,
            progress,
            topics: self.process.topics.clone(),
            lifecycle: configuration.lifecycle.clone(),
            customers,
            health: self.process.health.clone(),
            metrics: Arc::new(move || in_flight.render_metrics()),
        }
    }

    /// Opens the store of accounts, and goes on reading it in the background.
    async fn start_accounts(
        &mut self,
        configuration: &Configuration,
        first_admin: Option<FirstAdmin>,
    ) -> Result<Arc<Accounts>> {
        let health = accounts::AccountsHealth(self.process.health.part("accounts"));
        let world = self.process.world.clone();
        let (accounts, is_loaded) = accounts::open(configuration, world, first_admin).await?;
        health.reached(is_loaded);
        let (keeping, stop) = (accounts.clone(), self.stop_sinks.clone());
        let keep_up = async move {
            keeping.keep_up(is_loaded, &health, stop).await?;
            keeping.close().await;
            Ok("accounts")
        };
        self.process.parts.spawn_on(keep_up, self.process.background.handle());
        Ok(accounts)
    }

    async fn listen(&mut self, configuration: &Configuration, serving: Serving) -> Result<()> {
        let Serving { routes, monitoring, authenticator, tls, in_flight } = serving;
        let listeners = Listeners::bind(configuration).await?;
        self.address = listeners.address()?;
        self.monitoring_address = listeners.monitoring_address()?;
        let (acceptor, reload) = tls.unzip();
        if let Some(reload) = reload {
            let (part, stop) = (self.process.health.part("certificate"), self.stop_sinks.clone());
            self.process.parts.spawn(async move { reload.run(part, stop).await.map(|()| "certificate") });
        }
        let served = Served { routes, monitoring, authenticator };
        self.server = listeners.serve(configuration, served, acceptor, in_flight, &self.stop_server);
        Ok(())
    }

    /// Waits until all processors have recovered, or a part has failed.
    async fn wait_recovered(&mut self) -> Result<()> {
        let Some(processors) = &mut self.processors else { return Ok(()) };
        tokio::select! {
            failed = failure(&mut self.process.parts) => Err(failed),
            () = processors.wait_recovered() => Ok(()),
        }
    }

    /// Runs until `shutdown`, or until a part fails.
    pub async fn run(&mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            () = shutdown => Ok(()),
            failed = failure(&mut self.process.parts) => Err(failed),
        }
    }

    /// Stops in order. Nothing that was acknowledged is lost, and everything accepted is durable when this returns.
    pub async fn stop(mut self) -> Result<()> {
        self.stop_server.cancel();
        let drained = async { while self.server.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN_WITHIN, drained).await.is_err() {
            tracing::warn!("connections were still open and are cut");
            self.server.shutdown().await;
        }
        if let Some(ingest) = &self.ingest {
            ingest.stop().await;
        }
        // Reads have ended, so each sink has the last connection and can leave one complete file behind.
        let end_reads = futures_util::future::join_all(self.end_reads);
        if tokio::time::timeout(DRAIN_WITHIN, end_reads).await.is_err() {
            tracing::warn!("a read of a store does not end");
        }
        self.stop_processors.cancel();
        self.stop_sinks.cancel();
        let mut result = Ok(());
        while let Some(part) = self.process.parts.join_next().await {
            if let Err(error) = part.map_err(anyhow::Error::from).and_then(|part| part) {
                result = Err(error);
            }
        }
        self.process.engine.close().await;
        drop(self.process.background);
        result
    }
}

/// Waits for the first part that fails or ends without being asked to.
async fn failure(parts: &mut JoinSet<Result<&'static str>>) -> anyhow::Error {
    match parts.join_next().await {
        None => std::future::pending().await,
        Some(Ok(Ok(part))) => anyhow!("the {part} ended without being asked to"),
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => anyhow!("a part of the system panicked: {error}"),
    }
}

/// Opens the database. Run this in the background runtime, so that a thread started for it has the low priority.
fn open_database(
    configuration: &Configuration,
    progress: Progress,
    health: Part,
) -> impl Future<Output = Result<(OpenStore, Arc<dyn DatabaseReader>)>> + use<> {
    let configuration = configuration.clone();
    async move { database::open(&configuration, progress, health).await }
}
