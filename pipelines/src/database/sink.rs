//! The sink of a database that may be away, now or when the program starts.
//!
//! It opens the database when it is first needed and says in the health of the system how it is. The pauses between
//! attempts are the driver's.

use std::path::PathBuf;

use anyhow::{Context, Result};
use async_trait::async_trait;
use orderflow_api::{Part, Status};
use orderflow_sinks::{Applied, Checkpoint, EventBatch, Sink, SinkError};

use super::{Location, open::open_sink};

/// A database's sink, opened or to be opened.
pub(super) struct DatabaseSink {
    location: Location,
    data: PathBuf,
    opened: Option<Box<dyn Sink>>,
    health: Part,
}

impl DatabaseSink {
    /// Opens the database; if it is away, that is left for later. What no waiting can mend is an error.
    pub(super) async fn new(location: &Location, data: PathBuf, health: Part) -> Result<Self> {
        let opened = match open_sink(location, &data).await {
            Ok(opened) => Some(opened),
            Err(error) if error.is_away() => {
                tracing::warn!(%error, "the database is away; orders are taken, and it shows them once it is back");
                None
            }
            Err(error) => return Err(error).context("the database cannot be opened"),
        };
        health.set(if opened.is_some() { Status::Ready } else { Status::Waiting });
        Ok(Self { location: location.clone(), data, opened, health })
    }

    async fn open(&mut self) -> Result<&mut dyn Sink, SinkError> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => open_sink(&self.location, &self.data).await?,
        };
        Ok(self.opened.insert(opened).as_mut())
    }

    fn report<T>(&self, outcome: &Result<T, SinkError>) {
        match outcome {
            Ok(_) => self.health.set(Status::Ready),
            Err(SinkError::Retry { .. }) => self.health.set(Status::Waiting),
            Err(SinkError::Stop { .. }) => self.health.set(Status::Failed),
            // About one record, not about the database.
            Err(SinkError::DeadLetter { .. }) => {}
        }
    }
}

#[async_trait]
impl Sink for DatabaseSink {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        let checkpoint = match self.open().await {
            Ok(sink) => sink.checkpoint().await,
            Err(error) => Err(error),
        };
        self.report(&checkpoint);
        checkpoint
    }

    async fn apply(&mut self, batch: &EventBatch, checkpoint: &Checkpoint) -> Result<Applied, SinkError> {
        let applied = match self.open().await {
            Ok(sink) => sink.apply(batch, checkpoint).await,
            Err(error) => Err(error),
        };
        self.report(&applied);
        applied
    }

    async fn flush(&mut self) -> Result<(), SinkError> {
        let flushed = match self.open().await {
            Ok(sink) => sink.flush().await,
            Err(error) => Err(error),
        };
        self.report(&flushed);
        flushed
    }

    async fn close(&mut self) -> Result<(), SinkError> {
        match self.opened.take() {
            Some(mut sink) => sink.close().await,
            None => Ok(()),
        }
    }
}
