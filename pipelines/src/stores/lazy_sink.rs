//! The sink of a store that may be away, now or when the program starts.
//!
//! It opens the store when it is first needed and says in the health of the system how it is. The pauses between
//! attempts are the driver's. What this program cannot work with, such as a wrong password or tables of a newer program,
//! is an error when it starts; a store that is away is none.

use anyhow::{Context, Result};
use async_trait::async_trait;
use orderflow_api::{Part, Status};
use orderflow_schemas::LogId;
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};

/// Opens the writing side of a store, and makes it first if it is not there.
#[async_trait]
pub trait OpenSink: Send + Sync + 'static {
    /// The store's name.
    fn name(&self) -> &'static str;

    /// Opens it. After an error nothing is left open.
    async fn open(&self) -> Result<Box<dyn Sink>, NotOpened>;
}

/// Why a store was not opened.
#[derive(Debug)]
pub struct NotOpened {
    /// What is wrong, as it is for a sink that was open.
    pub error: SinkError,
    /// Whether the store is only away, so that a program that has just started may wait for it.
    pub is_away: bool,
}

/// A store's sink, opened or to be opened.
pub struct LazySink<O> {
    opener: O,
    opened: Option<Box<dyn Sink>>,
    health: Part,
}

impl<O: OpenSink> LazySink<O> {
    /// Opens the store; if it is away, that is left for later. What no waiting can mend is an error. `health` is told how
    /// the store is from then on.
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
            // About one record, not about the store.
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
