//! A running system: all roles in one process, wired together, started and stopped in order.
//!
//! *Start*: log, database, processors and sink, then the API. It is ready when the processors have recovered, and takes
//! orders also while a database on another machine is away. *Stop*: the API takes no more and what it took is appended;
//! processors decide what is there and store snapshots, the sink finishes its batch, the log makes everything durable.
//! *Failure*: a part that fails stops the whole. What it was doing is in the log, and a restart goes on from there.

mod processors;
mod serving;
mod watch;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use orderflow_api::{Api, Health, Part, Status};
use orderflow_database::Reader;
use orderflow_feed::Feed;
use orderflow_ingest::Ingest;
use orderflow_runner::{
    processing::LocalSnapshots,
    sink_driver::{SinkDriver, SinkDriverSettings},
};
use orderflow_sinks::Progress;
use orderflow_topics::Engine;
use orderflow_web::BodyLimit;
use orderflow_world::{TokioWorld, World};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use self::{processors::StartRunners, watch::watch_log};
use crate::{
    background::Background,
    database::{self, Database, StoredOrders},
    front::FrontDoor,
    listener::BoundedListener,
    log, metrics_endpoint,
    settings::Settings,
};

/// How long open connections may go on after the server has begun to stop.
const DRAIN_WITHIN: Duration = Duration::from_secs(10);

/// A system that is running.
pub struct System {
    /// Where it listens.
    pub address: SocketAddr,
    background: Background,
    engine: Arc<dyn Engine>,
    ingest: Arc<Ingest>,
    reader: Arc<dyn Reader>,
    parts: JoinSet<Result<&'static str>>,
    server: JoinSet<std::io::Result<()>>,
    stop_server: CancellationToken,
    stop_processors: CancellationToken,
    stop_sinks: CancellationToken,
}

impl System {
    /// Starts everything; returns when the API answers and the processors have recovered.
    pub async fn start(settings: &Settings) -> Result<Self> {
        let engine = log::open(settings).await?;
        let topics = engine.clone().topics();
        let background = Background::start()?;
        let health = Health::default();
        let (log_part, processors_part) = (health.part("log"), health.part("processors"));
        let database = open_database(settings, &background, health.part("database")).await?;
        let feed = Feed::new(&topics, orderflow_feed::Settings::default());
        let progress = Progress::new(feed.partitions());
        let (stop_processors, stop_sinks) = (CancellationToken::new(), CancellationToken::new());
        let mut parts = JoinSet::new();
        let world: Arc<dyn World> = TokioWorld::new();
        let mut start = StartRunners {
            world: &world,
            settings,
            topics: &topics,
            snapshots: LocalSnapshots::new(&settings.data),
            background: &background,
            parts: &mut parts,
            stop: &stop_processors,
        };
        let recovered = start.all();
        let sinks = SinkDriverSettings::default();
        let driver = SinkDriver::new(
            world.clone(),
            topics.clone(),
            feed.clone(),
            database.sink,
            progress.clone(),
            sinks,
        );
        let stop = stop_sinks.clone();
        let sink = async move { Ok(driver.run(stop).await.map(|()| "sink")?) };
        parts.spawn_on(sink, background.handle());
        watch_log(&engine, &world, &mut parts, &stop_sinks);

        let lookup = StoredOrders { database: database.reader.clone(), progress: progress.clone() };
        let ingest_settings = orderflow_ingest::Settings {
            decision_ms_max: u64::try_from(settings.decision_within.as_millis()).unwrap_or(u64::MAX),
            ..Default::default()
        };
        let ingest = Ingest::start(
            world.clone(),
            topics.clone(),
            &feed,
            settings.lifecycle.clone(),
            Arc::new(lookup),
            ingest_settings,
        );
        let api = Api {
            database: database.reader.clone(),
            progress,
            topics,
            lifecycle: settings.lifecycle.clone(),
            health: health.clone(),
            metrics: Arc::new(metrics_endpoint::render),
        };
        let mut system = Self {
            address: settings.listen,
            background,
            engine,
            ingest: Arc::new(ingest),
            reader: database.reader,
            parts,
            server: JoinSet::new(),
            stop_server: CancellationToken::new(),
            stop_processors,
            stop_sinks,
        };
        system.listen(settings, api).await?;
        system.wait_recovered(recovered).await?;
        for part in [log_part, processors_part] {
            part.set(Status::Ready);
        }
        Ok(system)
    }

    async fn listen(&mut self, settings: &Settings, api: Api) -> Result<()> {
        let listener = TcpListener::bind(settings.listen).await;
        let listener = listener.with_context(|| format!("cannot listen on {}", settings.listen))?;
        self.address = listener.local_addr()?;
        let routes = orderflow_ingest::routes(self.ingest.clone()).merge(orderflow_api::routes(api));
        let router = serving::router(routes);
        let front = FrontDoor::new(router, BodyLimit(settings.body_bytes_max));
        let stop = self.stop_server.clone();
        let listener = BoundedListener::new(listener, settings.connections_max);
        self.server.spawn(async move {
            axum::serve(listener, front).with_graceful_shutdown(stop.cancelled_owned()).await
        });
        Ok(())
    }

    /// Waits until all processors have recovered, or one has failed.
    async fn wait_recovered(&mut self, mut recovered: mpsc::Receiver<()>) -> Result<()> {
        tokio::select! {
            failed = failure(&mut self.parts) => Err(failed),
            // Ends when the last processor has dropped its side.
            () = async { while recovered.recv().await.is_some() {} } => Ok(()),
        }
    }

    /// Runs until `shutdown`, or until a part fails.
    pub async fn run(&mut self, shutdown: impl Future<Output = ()>) -> Result<()> {
        tokio::select! {
            () = shutdown => Ok(()),
            failed = failure(&mut self.parts) => Err(failed),
        }
    }

    /// Stops in order. Nothing that was acknowledged is lost; what was accepted is durable when this returns.
    pub async fn stop(mut self) -> Result<()> {
        self.stop_server.cancel();
        let drained = tokio::time::timeout(DRAIN_WITHIN, self.server.join_next()).await;
        if drained.is_err() {
            tracing::warn!("connections were still open and are cut");
            self.server.abort_all();
        }
        self.ingest.stop().await;
        // Nobody reads any more, so the sink is the last one connected and can leave one whole file behind.
        if tokio::time::timeout(DRAIN_WITHIN, self.reader.close()).await.is_err() {
            tracing::warn!("a read of the database does not end");
        }
        self.stop_processors.cancel();
        self.stop_sinks.cancel();
        let mut result = Ok(());
        while let Some(part) = self.parts.join_next().await {
            if let Err(error) = part.map_err(anyhow::Error::from).and_then(|part| part) {
                result = Err(error);
            }
        }
        self.engine.close().await;
        drop(self.background);
        result
    }
}

/// Waits for the first part that ends with an error, or without being asked to.
async fn failure(parts: &mut JoinSet<Result<&'static str>>) -> anyhow::Error {
    match parts.join_next().await {
        None => std::future::pending().await,
        Some(Ok(Ok(part))) => anyhow!("the {part} ended without being asked to"),
        Some(Ok(Err(error))) => error,
        Some(Err(error)) => anyhow!("a part of the system panicked: {error}"),
    }
}

/// Opens the database in the background, so that a thread of its own has the priority of those there.
async fn open_database(settings: &Settings, background: &Background, health: Part) -> Result<Database> {
    let (location, data) = (settings.database.clone(), settings.data.clone());
    let opening = async move { database::open(&location, data, health).await };
    background.handle().spawn(opening).await?
}
