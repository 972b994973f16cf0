//! The runtime that processors and sinks share, apart from the one that serves requests.
//!
//! Its threads yield to those that serve: when there is more work than processor time, commands are still taken in
//! and made durable, and what follows from them lags. With time to spare it changes nothing.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// How much lower the priority of the background is, in steps of `nice(2)`: about a third of the time at full load.
const NICE: i32 = 5;

/// The background runtime. Dropping the last clone ends its threads without waiting for them.
#[derive(Clone)]
pub struct Background(Arc<Owned>);

struct Owned(Option<Runtime>);

impl Background {
    /// Starts its threads, as many as there are cores.
    pub fn start() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let runtime = Builder::new_multi_thread()
            .worker_threads(cores)
            .thread_name("background")
            .on_thread_start(yield_to_others)
            .enable_all()
            .build();
        Ok(Self(Arc::new(Owned(Some(runtime.context("cannot start threads")?)))))
    }

    /// Where to spawn.
    pub fn handle(&self) -> &Handle {
        self.0.0.as_ref().expect("taken only when dropped").handle()
    }
}

/// Threads that these start, such as SQLite's, inherit it.
fn yield_to_others() {
    if let Err(error) = rustix::process::nice(NICE) {
        tracing::debug!(%error, "background threads keep their priority");
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
