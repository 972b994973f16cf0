//! The database of a run: the real sink over SQLite on the run's simulated disk, with some slow batches.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use async_trait::async_trait;
use orderflow_database::{DatabaseError, sqlite::SqliteSettings};
use orderflow_schemas::LogId;
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};
use orderflow_world::World;

use crate::{
    check::{Checked, broken},
    disk::SimDisk,
    process::DATA,
    sqlite::{Content, SimSink, SimSqlite},
    world::SimWorld,
};

/// A small WAL, so that SQLite moves it into the database file often.
const WAL_BYTES: u32 = 16 * 8192;

/// The database, independent of the process that writes to it.
pub struct Database {
    sqlite: SimSqlite,
    world: SimWorld,
    slow: f64,
    rng: fastrand::Rng,
    applied: Arc<AtomicU64>,
}

impl Database {
    /// The database on a disk with a data directory. Each batch is slow with the probability `slow`.
    pub fn new(disk: &SimDisk, world: &SimWorld, slow: f64, seed: u64) -> Self {
        Self::at(disk, world, "orders.sqlite", slow, seed)
    }

    /// The same with another file name.
    pub fn at(disk: &SimDisk, world: &SimWorld, name: &str, slow: f64, seed: u64) -> Self {
        let settings = SqliteSettings { wal_bytes: WAL_BYTES, ..SqliteSettings::default() };
        Self {
            sqlite: SimSqlite::new(disk, &Path::new(DATA).join(name), settings),
            world: world.clone(),
            slow,
            rng: fastrand::Rng::with_seed(seed),
            applied: Arc::default(),
        }
    }

    /// Opens the database for writing.
    pub fn open(&mut self) -> Result<Box<dyn Sink>, DatabaseError> {
        let (world, rng, applied) = (self.world.clone(), self.rng.fork(), self.applied.clone());
        let (sink, sqlite) = (Some(self.sqlite.open()?), self.sqlite.clone());
        Ok(Box::new(Driven { sink, sqlite, world, slow: self.slow, rng, applied }))
    }

    /// Waits until no thread of a dropped sink is running.
    pub fn close(&self) {
        self.sqlite.wait_until_closed();
    }

    /// The number of applied batches.
    pub fn applied(&self) -> u64 {
        self.applied.load(SeqCst)
    }

    /// The whole content of the database.
    pub fn content(&self) -> Checked<Content> {
        match self.sqlite.content() {
            Ok(content) => Ok(content),
            Err(error) => broken(format!("the database cannot be read: {error}")),
        }
    }
}

/// The real sink, with a counter of batches and random delays.
struct Driven {
    /// The real sink; `None` after it was dropped.
    sink: Option<SimSink>,
    sqlite: SimSqlite,
    world: SimWorld,
    slow: f64,
    rng: fastrand::Rng,
    applied: Arc<AtomicU64>,
}

impl Driven {
    fn sink(&mut self) -> &mut SimSink {
        self.sink.as_mut().expect("taken only when dropped")
    }
}

/// SQLite closes a connection in a separate thread. The drop waits for it, so that nothing else happens meanwhile.
impl Drop for Driven {
    fn drop(&mut self) {
        drop(self.sink.take());
        self.sqlite.wait_until_closed();
    }
}

#[async_trait]
impl Sink for Driven {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError> {
        self.sink().claim(log).await
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        self.sink().checkpoint().await
    }

    async fn apply(
        &mut self,
        batch: &EventBatch,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyOutcome, SinkError> {
        if self.slow > 0.0 && self.rng.f64() < self.slow {
            let pause = Duration::from_millis(self.rng.u64(1..2_000));
            self.world.sleep(pause).await;
        }
        let applied = self.sink().apply(batch, checkpoint).await?;
        self.applied.fetch_add(1, SeqCst);
        Ok(applied)
    }
}
