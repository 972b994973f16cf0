//! The lifecycle of an open log: how a process watches, maintains and closes it, apart from reading and appending.

use std::sync::Arc;

use async_trait::async_trait;
use orderflow_schemas::Timestamp;

use crate::{EmbeddedLog, Topics};

/// An open engine. The code that opened it also closes it.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The log of this engine, for reading and appending.
    fn topics(self: Arc<Self>) -> Arc<dyn Topics>;

    /// Waits until the log has failed permanently, and returns the reason. Never returns while the log is healthy or
    /// only temporarily unavailable. After a failure the process should end. The future may be dropped at any time.
    async fn failed(&self) -> Arc<str>;

    /// Does periodic work such as retention. An error names what prevented it; the next call tries again. Call this
    /// every few seconds, but only once all readers have named what they need with [`Topics::retain_from`].
    async fn maintain(self: Arc<Self>, now: Timestamp) -> Result<(), Arc<str>>;

    /// Makes everything that was accepted durable, refuses further appends, and releases the log.
    async fn close(self: Arc<Self>);
}

#[async_trait]
impl Engine for EmbeddedLog {
    fn topics(self: Arc<Self>) -> Arc<dyn Topics> {
        self
    }

    async fn failed(&self) -> Arc<str> {
        Self::failed(self).await
    }

    async fn maintain(self: Arc<Self>, now: Timestamp) -> Result<(), Arc<str>> {
        let now_ms = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
        match tokio::task::spawn_blocking(move || self.retain(now_ms)).await {
            Ok(Ok(removed)) => {
                if removed.segments > 0 {
                    tracing::info!(
                        segments = removed.segments,
                        bytes = removed.bytes,
                        "retention has removed segments"
                    );
                }
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string().into()),
            Err(error) => Err(error.to_string().into()),
        }
    }

    async fn close(self: Arc<Self>) {
        if let Err(error) = tokio::task::spawn_blocking(move || Self::close(&self)).await {
            tracing::error!(%error, "the log was not closed in order");
        }
    }
}
