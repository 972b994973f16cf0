//! What a process does with a log that it has opened, beside reading and appending.

use std::sync::Arc;

use async_trait::async_trait;
use orderflow_schemas::Timestamp;

use crate::{EmbeddedLog, Topics};

/// An engine that is open. Whoever opened it closes it.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// The log.
    fn topics(self: Arc<Self>) -> Arc<dyn Topics>;

    /// Waits until the log has failed for good, and says why; never returns while it is well or only away. The process
    /// should then end. May be dropped at any time.
    async fn failed(&self) -> Arc<str>;

    /// Does what is to be done now and then, such as retention, or says what was in the way; it is tried again the next
    /// time. Call it every few seconds, once all readers have said with [`Topics::retain_from`] what they need.
    async fn maintain(self: Arc<Self>, now: Timestamp) -> Result<(), Arc<str>>;

    /// Makes everything durable that was accepted, refuses what comes after, and lets the log go.
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
