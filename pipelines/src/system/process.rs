//! What the roles of a process share.

use std::sync::Arc;

use anyhow::Result;
use orderflow_api::{Health, Part, Status};
use orderflow_feed::Feed;
use orderflow_topics::{Engine, Topics};
use orderflow_world::{TokioWorld, World};
use tokio::task::JoinSet;

use crate::{background::Background, log, settings::Configuration};

/// What the roles share: the log, its events, time, threads and health, and the parts that run in the process.
pub(super) struct Process {
    pub(super) world: Arc<dyn World>,
    pub(super) engine: Arc<dyn Engine>,
    pub(super) topics: Arc<dyn Topics>,
    pub(super) feed: Feed,
    pub(super) background: Background,
    pub(super) health: Health,
    /// The log's part of the health.
    log: Part,
    /// The parts that run until they are stopped. A part that ends earlier, or fails, ends the process.
    pub(super) parts: JoinSet<Result<&'static str>>,
}

impl Process {
    /// Opens the log, and starts what the roles share.
    pub(super) async fn open(configuration: &Configuration) -> Result<Self> {
        let health = Health::default();
        let log = health.part("log");
        let engine = log::open(configuration).await?;
        let topics = engine.clone().topics();
        Ok(Self {
            world: TokioWorld::new(),
            engine,
            feed: Feed::new(&topics, configuration.feed),
            topics,
            background: Background::start()?,
            health,
            log,
            parts: JoinSet::new(),
        })
    }

    /// Marks the log as ready in the health, because everything has started.
    pub(super) fn ready(&self) {
        self.log.set(Status::Ready);
    }
}
