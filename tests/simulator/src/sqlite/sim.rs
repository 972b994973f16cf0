//! The database sink for the simulation: each call starts and completes within one poll.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
};

use async_trait::async_trait;
use orderflow_database::{
    DatabaseAudit as _, DatabaseError, DatabaseReader as _, HistoryEntry, ShipmentEntry, StockItem,
    sqlite::{SqliteReader, SqliteSettings, SqliteSink},
};
use orderflow_schemas::{LogId, Order};
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};
use tokio::runtime::{Builder, Runtime};

use super::{door::Door, registry::Registration, vfs};
use crate::disk::SimDisk;

/// A database file on a simulated disk.
#[derive(Clone, Debug)]
pub struct SimSqlite {
    registration: Arc<Registration>,
    path: PathBuf,
    settings: SqliteSettings,
}

/// The whole content of a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// The orders, by id.
    pub orders: Vec<Order>,
    /// The history of orders, by order id and version.
    pub history: Vec<HistoryEntry>,
    /// The events of shipments, by order id and offset.
    pub shipments: Vec<ShipmentEntry>,
    /// The SKUs, by name.
    pub stock: Vec<StockItem>,
    /// The checkpoint that the rows belong to.
    pub checkpoint: Checkpoint,
}

/// The real sink. Each call is complete when it returns, and nothing continues to run after an error.
#[derive(Debug)]
pub struct SimSink {
    /// The sink, which is dropped before the registration, because it needs the registration to close its files.
    sink: SqliteSink,
    registration: Arc<Registration>,
}

impl SimSqlite {
    /// The database file at this path, in an existing folder. [`Self::open`] creates the file. This function sets the
    /// VFS in the settings.
    pub fn new(disk: &SimDisk, path: &Path, settings: SqliteSettings) -> Self {
        vfs::register();
        let settings = SqliteSettings { vfs: Some(vfs::NAME), ..settings };
        Self { registration: Registration::new(disk), path: path.to_owned(), settings }
    }

    /// Opens the sink after the rest of an earlier sink has closed. Drop the earlier sink first.
    pub fn open(&self) -> Result<SimSink, DatabaseError> {
        self.wait_until_closed();
        let registration = Arc::clone(&self.registration);
        let path = registration.name(&self.path);
        let opened = wait(|| SqliteSink::open_on(Arc::new(Door), &path, &self.settings));
        if opened.is_err() {
            self.wait_until_closed();
        }
        Ok(SimSink { sink: opened?, registration })
    }

    /// Waits until SQLite has no file of this disk open, so that nothing of it runs. An existing sink keeps its files
    /// open, so drop it first.
    pub fn wait_until_closed(&self) {
        self.registration.wait_until_closed();
    }

    /// The number of files that SQLite has open.
    pub fn files_open(&self) -> usize {
        self.registration.files_open()
    }

    /// The content of the database as a new process would find it now. It reads a fork of the disk, which leaves no
    /// trace on the disk itself.
    pub fn content(&self) -> Result<Content, DatabaseError> {
        let settings = SqliteSettings { point_readers: 1, list_readers: 1, ..self.settings };
        let fork = Self::new(&self.registration.disk.fork(), &self.path, settings);
        let content = wait(|| fork.read());
        fork.wait_until_closed();
        content
    }

    /// Readers beside the sink on the same disk; their operations are part of the run. Close them before a crash,
    /// since [`Self::wait_until_closed`] waits until they are dropped. Call this within a tokio runtime.
    pub async fn reader(&self) -> Result<SqliteReader, DatabaseError> {
        SqliteReader::open(&self.registration.name(&self.path), &self.settings).await
    }

    async fn read(&self) -> Result<Content, DatabaseError> {
        let reader = self.reader().await?;
        let content = read_all(&reader).await;
        reader.close().await;
        content
    }
}

async fn read_all(reader: &SqliteReader) -> Result<Content, DatabaseError> {
    let mut content = Content { checkpoint: reader.checkpoint().await?, ..Content::default() };
    reader.for_each_order(&mut |order| content.orders.push(order)).await?;
    reader.for_each_history(&mut |entry| content.history.push(entry)).await?;
    reader.for_each_shipment(&mut |entry| content.shipments.push(entry)).await?;
    reader.for_each_stock(&mut |item| content.stock.push(item)).await?;
    Ok(content)
}

impl SimSink {
    /// After an error the sink has dropped its connection, which closes in a separate thread; this waits for it. An
    /// event that cannot be stored is no error of the connection.
    fn settle<T>(&self, result: Result<T, SinkError>) -> Result<T, SinkError> {
        if let Err(SinkError::Retry { .. } | SinkError::Stop { .. }) = &result {
            self.registration.wait_until_closed();
        }
        result
    }
}

#[async_trait]
impl Sink for SimSink {
    fn name(&self) -> &'static str {
        self.sink.name()
    }

    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError> {
        let result = wait(|| self.sink.claim(log));
        self.settle(result)
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        let result = wait(|| self.sink.checkpoint());
        self.settle(result)
    }

    async fn apply(
        &mut self,
        batch: &EventBatch,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyOutcome, SinkError> {
        let result = wait(|| self.sink.apply(batch, checkpoint));
        self.settle(result)
    }
}

/// Runs a future to its end on a separate thread, since the caller may be inside a runtime.
fn wait<F: Future<Output: Send>>(begin: impl FnOnce() -> F + Send) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        Builder::new_current_thread().enable_all().build().expect("a runtime without threads needs nothing")
    });
    thread::scope(|scope| {
        let ended = scope.spawn(|| runtime.block_on(begin())).join();
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
