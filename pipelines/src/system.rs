//! A running system: all roles in one process, wired together, started and stopped in order.
//!
//! Start: log, database, processors and sink, then the API; it is ready when the processors have recovered, and takes
//! orders also while a database on another machine is away. Stop: the API takes no more, what it took is appended, processors decide what is there and store snapshots, the sink
//! finishes its batch, the log makes everything durable. A part that fails stops the whole: what it was doing is in
//! the log, and a restart goes on from there.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use axum::response::IntoResponse;
use orderflow_api::{Api, Health, Part, Status};
use orderflow_database::Reader;
use orderflow_feed::Feed;
use orderflow_ingest::Ingest;
use orderflow_processors::{OrderProcessor, Processor, StockProcessor};
use orderflow_runner::{
    processing::{LocalSnapshots, Runner, Settings as RunnerSettings, Snapshots},
    sink_driver::{SinkDriver, SinkDriverSettings},
};
use orderflow_schemas::{Partition, TopicPartition};
use orderflow_sinks::Progress;
use orderflow_topics::{Engine, Topics};
use orderflow_web::{BodyLimit, Problem, insecure_no_auth, propagate_trace};
use orderflow_world::{TokioWorld, World};
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    background::Background,
    database::{self, Database, StoredOrders},
    front::FrontDoor,
    listener::BoundedListener,
    log, metrics_endpoint,
    settings::Settings,
};

/// How often retention looks whether something may go, and metrics are folded.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);
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
        let topics = engine.topics();
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
        let callers = axum::middleware::from_fn(insecure_no_auth);
        let traced = axum::middleware::from_fn(propagate_trace);
        let routes = orderflow_ingest::routes(self.ingest.clone()).merge(orderflow_api::routes(api));
        let (authenticated, open) = routes.into_routers();
        let router = authenticated
            .fallback(no_such_route)
            .method_not_allowed_fallback(no_such_method)
            .layer(callers)
            .merge(open.method_not_allowed_fallback(no_such_method))
            .layer(tower_http::catch_panic::CatchPanicLayer::custom(|_| {
                Problem::internal("a handler panicked").into_response()
            }))
            .layer(traced);
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

async fn no_such_route(uri: http::Uri) -> Problem {
    Problem::not_found("no-such-route", format!("there is nothing at {}", uri.path()))
}

async fn no_such_method(method: http::Method, uri: http::Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
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

/// What starting the runners takes.
struct StartRunners<'a> {
    world: &'a Arc<dyn World>,
    settings: &'a Settings,
    topics: &'a Arc<dyn Topics>,
    background: &'a Background,
    parts: &'a mut JoinSet<Result<&'static str>>,
    stop: &'a CancellationToken,
}

impl StartRunners<'_> {
    /// Starts a runner for each partition of commands. The receiver ends once all have recovered.
    fn all(&mut self) -> mpsc::Receiver<()> {
        let (settings, (recovering, recovered)) = (self.settings, mpsc::channel(1));
        for partition in (0..settings.order_partitions).map(Partition) {
            let processor = OrderProcessor {
                lifecycle: settings.lifecycle.clone(),
                stock_partitions: settings.stock_partitions,
                keys_max: settings.keys_max,
            };
            self.one(processor, partition, recovering.clone());
        }
        for partition in (0..settings.stock_partitions).map(Partition) {
            let processor = StockProcessor {
                partition,
                order_partitions: settings.order_partitions,
                keys_max: settings.keys_max,
                resolved_max: settings.resolved_max,
            };
            self.one(processor, partition, recovering.clone());
        }
        recovered
    }

    fn one<P: Processor>(&mut self, processor: P, partition: Partition, recovering: mpsc::Sender<()>) {
        let settings = self.settings;
        let store = LocalSnapshots::new(&settings.data);
        let snapshots = Snapshots::new(store, TopicPartition { topic: P::INPUT, partition });
        let how = RunnerSettings { snapshot_every: settings.snapshot_every, ..RunnerSettings::default() };
        let runner =
            Runner::new(self.world.clone(), self.topics.clone(), processor, partition, snapshots, how);
        let stop = self.stop.clone();
        let running = async move {
            runner.run(stop, || drop(recovering)).await?;
            Ok("processor")
        };
        self.parts.spawn_on(running, self.background.handle());
    }
}

/// Ends the system when the log fails, and has it maintained.
fn watch_log(
    engine: &Arc<dyn Engine>,
    world: &Arc<dyn World>,
    parts: &mut JoinSet<Result<&'static str>>,
    stop: &CancellationToken,
) {
    let (engine, world, stop) = (engine.clone(), world.clone(), stop.clone());
    parts.spawn(async move {
        // Readers say what they need as they start; the first look comes after that.
        let mut every = tokio::time::interval_at(tokio::time::Instant::now() + UPKEEP_EVERY, UPKEEP_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok("log"),
                why = engine.failed() => return Err(anyhow!("the log failed: {why}")),
                _ = every.tick() => {
                    metrics_endpoint::upkeep();
                    match engine.maintain(world.now()).await {
                        Ok(()) => tracing::debug!("retention has looked"),
                        Err(error) => tracing::warn!(%error, "the log could not be maintained"),
                    }
                }
            }
        }
    });
}
