//! Time, tasks and unique names, as a trait and as this machine has them.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use orderflow_schemas::Timestamp;

/// A future that somebody else polls.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A moment on a clock that never goes back: the time since some fixed moment.
pub type Instant = Duration;

/// Clocks, tasks and unique names.
///
/// *Time*: `now` is the wall clock and may jump either way; `instant` never goes back, and `sleep` is by it.
/// *Names*: no two `nonce`s are the same, in this process or another. *Tasks*: a spawned one runs beside the loop until
/// it ends. Nothing waits for it except through what it holds, and it must end when that is dropped.
pub trait World: Send + Sync + 'static {
    /// The wall clock.
    fn now(&self) -> Timestamp;

    /// The clock that never goes back.
    fn instant(&self) -> Instant;

    /// Ends after so long.
    fn sleep(&self, pause: Duration) -> Task;

    /// A number that nobody has had before.
    fn nonce(&self) -> u64;

    /// Runs a task beside the caller.
    fn spawn(&self, task: Task);
}

/// How long from now until `time` by the wall clock; zero when it has passed.
pub fn until(world: &dyn World, time: Timestamp) -> Duration {
    let micros = time.as_micros().saturating_sub(world.now().as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// This machine, and the tokio runtime that it is used on.
#[derive(Debug)]
pub struct TokioWorld {
    started: tokio::time::Instant,
}

impl TokioWorld {
    /// The world as it is.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { started: tokio::time::Instant::now() })
    }
}

impl World for TokioWorld {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    fn instant(&self) -> Instant {
        self.started.elapsed()
    }

    fn sleep(&self, pause: Duration) -> Task {
        Box::pin(tokio::time::sleep(pause))
    }

    fn nonce(&self) -> u64 {
        uuid::Uuid::new_v4().as_u128() as u64
    }

    fn spawn(&self, task: Task) {
        tokio::spawn(task);
    }
}
