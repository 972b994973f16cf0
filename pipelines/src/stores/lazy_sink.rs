//! The sink of a store that may be unavailable, now or when the program starts.
//!
//! It opens the store when the store is first needed, and reports its state in the system's health. The driver
//! decides the pauses between attempts. A problem that waiting cannot solve, such as a wrong password or tables of a
//! newer program, is an error at the start. An unavailable store is not.

use anyhow::{Context, Result};
use async_trait::async_trait;
use orderflow_api::{Part, Status};
use orderflow_schemas::LogId;
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};

/// Opens the writing side of a store, and creates the store first if it does not exist.
#[async_trait]
pub trait OpenSink: Send + Sync + 'static {
    /// The name of the store.
    fn name(&self) -> &'static str;

    /// Opens the store. After an error, nothing is left open.
    async fn open(&self) -> Result<Box<dyn Sink>, NotOpened>;
}

/// Why a store was not opened.
#[derive(Debug)]
pub struct NotOpened {
    /// The error, in the form that an open sink would report it.
    pub error: SinkError,
    /// Whether the store is only unavailable, so that a program that has just started may wait for it.
    pub is_away: bool,
}

/// The sink of a store, which is opened when it is needed.
pub struct LazySink<O> {
    opener: O,
    opened: Option<Box<dyn Sink>>,
    health: Part,
}

impl<O: OpenSink> LazySink<O> {
    /// Opens the store; if it is unavailable, a later call opens it. A problem that waiting cannot solve is an error.
    /// From then on, `health` is told whether the store is available.
    pub async fn new(opener: O, health: Part) -> Result<Self> {
        let name = opener.name();
        let opened = match opener.open().await {
            Ok(opened) => {
                tracing::info!(store = name, "store opened");
                Some(opened)
            }
            Err(NotOpened { error, is_away: true }) => {
                tracing::warn!(%error, "the {name} is away; orders are taken, and it shows them once it is back");
                None
            }
            Err(NotOpened { error, .. }) => {
                return Err(error).with_context(|| format!("the {name} cannot be opened"));
            }
        };
        health.set(if opened.is_some() { Status::Ready } else { Status::Waiting });
        Ok(Self { opener, opened, health })
    }

    async fn open(&mut self) -> Result<&mut dyn Sink, SinkError> {
        let opened = match self.opened.take() {
            Some(opened) => opened,
            None => {
                let opened = self.opener.open().await.map_err(|not| not.error)?;
                tracing::info!(store = self.opener.name(), "store opened; it catches up");
                opened
            }
        };
        Ok(self.opened.insert(opened).as_mut())
    }

    fn report<T>(&self, outcome: &Result<T, SinkError>) {
        match outcome {
            Ok(_) => self.health.set(Status::Ready),
            Err(SinkError::Retry { .. }) => self.health.set(Status::Waiting),
            Err(SinkError::Stop { .. }) => self.health.set(Status::Failed),
            // The error concerns one record, not the store.
            Err(SinkError::DeadLetter { .. }) => {}
        }
    }
}

#[async_trait]
impl<O: OpenSink> Sink for LazySink<O> {
    fn name(&self) -> &'static str {
        self.opener.name()
    }

    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError> {
        let claimed = match self.open().await {
            Ok(sink) => sink.claim(log).await,
            Err(error) => Err(error),
        };
        self.report(&claimed);
        claimed
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        let checkpoint = match self.open().await {
            Ok(sink) => sink.checkpoint().await,
            Err(error) => Err(error),
        };
        self.report(&checkpoint);
        checkpoint
    }

    async fn apply(
        &mut self,
        batch: &EventBatch,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyOutcome, SinkError> {
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
