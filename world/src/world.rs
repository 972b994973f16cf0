//! Time, tasks and unique names: the trait, and its implementation on this machine.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use orderflow_schemas::Timestamp;

/// A future that the caller hands over to be polled elsewhere.
pub type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A moment on the monotonic clock: the time since some fixed moment.
pub type Instant = Duration;

/// Clocks, tasks and unique names.
///
/// *Time*: `now` is the wall clock and may jump either way. `instant` never goes back, and `sleep` uses it.
/// *Names*: no two calls of `nonce` return the same number, in this process or another.
/// *Tasks*: a spawned task runs beside the loop until it ends. Nothing waits for it, except through what the task
/// holds, and it must end when that is dropped.
pub trait World: Send + Sync + 'static {
    /// The current time of the wall clock.
    fn now(&self) -> Timestamp;

    /// The current time of the monotonic clock.
    fn instant(&self) -> Instant;

    /// A future that completes after `pause`, measured by the monotonic clock.
    fn sleep(&self, pause: Duration) -> Task;

    /// A number that was never returned before, in this process or another.
    fn nonce(&self) -> u64;

    /// Runs a task concurrently with the caller.
    fn spawn(&self, task: Task);
}

/// How long from now until `time` by the wall clock; zero if `time` has passed.
pub fn until(world: &dyn World, time: Timestamp) -> Duration {
    let micros = time.as_micros().saturating_sub(world.now().as_micros());
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// The wall clock of this machine, for code at the edge that has no [`World`].
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// The clocks of this machine and the current tokio runtime.
#[derive(Debug)]
pub struct TokioWorld {
    started: tokio::time::Instant,
}

impl TokioWorld {
    /// Creates the world; its monotonic clock starts at zero now.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { started: tokio::time::Instant::now() })
    }
}

impl World for TokioWorld {
    fn now(&self) -> Timestamp {
        wall_clock()
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
