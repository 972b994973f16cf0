//! The runtime that processors and sinks share. Requests are served by another runtime.
//!
//! Its threads have a lower priority than the threads that serve requests. Under overload, commands are still
//! accepted and made durable, while their decisions lag. With processor time to spare, the priority changes nothing.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::runtime::{Builder, Handle, Runtime};

/// How much lower the priority of background threads is, in steps of `nice(2)`: they get about a third of the
/// processor time at full load.
const NICE: i32 = 5;

/// The background runtime. Dropping the last clone ends its threads without waiting for them.
#[derive(Clone)]
pub struct Background(Arc<Owned>);

struct Owned(Option<Runtime>);

impl Background {
    /// Starts one thread for each core.
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

    /// The handle to spawn tasks on this runtime.
    pub fn handle(&self) -> &Handle {
        self.0.0.as_ref().expect("taken only when dropped").handle()
    }
}

/// Lowers the priority of the calling thread. Threads that it starts, such as SQLite's, inherit the priority.
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
