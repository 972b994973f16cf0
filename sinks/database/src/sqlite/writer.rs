//! Writing: one connection, and one transaction for each batch, which includes the checkpoint.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use orderflow_feed::PartitionCheckpoint;
use orderflow_schemas::{LogId, Order, Timestamp, TopicPartition};
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};
use orderflow_world::disk::{Disk, RealDisk};
use sqlx::{
    AssertSqlSafe, Connection, Sqlite, SqliteConnection,
    query::Query,
    sqlite::{SqliteArguments, SqliteRow},
    types::Json,
};

use super::{
    SqliteSettings, schema,
    statements::{Upsert, Upserts},
};
use crate::{
    DatabaseError, HistoryEntry, Rows, ShipmentEntry, StockItem,
    sql::{CHECKPOINT, CLAIM, LOG, check_log, checkpoint_of, currency_of, failures_of, integer, returned_of},
};

type Statement<'a> = Query<'a, Sqlite, SqliteArguments>;

/// The database sink over SQLite.
#[derive(Debug)]
pub struct SqliteSink {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    settings: SqliteSettings,
    /// `None` after an error. When the disk is full, SQLite ends a transaction by itself and the connection is not
    /// told. Only a new connection is certain to be in no transaction.
    connection: Option<SqliteConnection>,
    /// False after a call that was dropped, because the connection may still be executing it.
    idle: bool,
    upserts: Arc<Upserts>,
}

impl SqliteSink {
    /// Opens the database file, creates it if it does not exist, and upgrades its tables.
    pub async fn open(path: &Path, settings: &SqliteSettings) -> Result<Self, DatabaseError> {
        Self::open_on(Arc::new(RealDisk), path, settings).await
    }

    /// Opens the database as [`Self::open`] does, on a disk that has the files under the same names as SQLite's VFS.
    /// The caller ensures that no other sink has this file open, and that a sink that was dropped during a call has
    /// ended that call.
    pub async fn open_on(
        disk: Arc<dyn Disk>,
        path: &Path,
        settings: &SqliteSettings,
    ) -> Result<Self, DatabaseError> {
        let connection = Some(schema::open(&disk, path, settings).await?);
        let (path, settings) = (path.to_owned(), *settings);
        Ok(Self { disk, path, settings, connection, idle: true, upserts: Arc::new(Upserts::new()) })
    }

    /// The connection, or a new one if there is none. The caller reports the end of its use with [`Self::used`].
    async fn connection(&mut self) -> Result<&mut SqliteConnection, DatabaseError> {
        if !self.idle
            && let Some(busy) = &mut self.connection
        {
            // The ping is answered after what the dropped call began. If the worker of the connection is gone, that
            // call has ended too.
            let _ = busy.ping().await;
            self.connection = None;
        }
        self.idle = false;
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => schema::connect(&self.disk, &self.path, &self.settings).await?,
        };
        Ok(self.connection.insert(connection))
    }

    /// Reports the end of a call. After an error, the connection is dropped.
    fn used<T>(&mut self, result: &Result<T, DatabaseError>) {
        self.idle = true;
        if result.is_err() {
            self.connection = None;
        }
    }

    async fn write(&mut self, rows: &Rows, checkpoint: &Checkpoint) -> Result<(), DatabaseError> {
        let upserts = Arc::clone(&self.upserts);
        let connection = self.connection().await?;
        let written = write_batch(connection, &upserts, rows, checkpoint).await;
        let written = written.map_err(DatabaseError::query("write a batch"));
        self.used(&written);
        written
    }
}

#[async_trait]
impl Sink for SqliteSink {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError> {
        let connection = self.connection().await?;
        let claimed = claim(connection, log).await.map_err(DatabaseError::query("remember the log"));
        self.used(&claimed);
        Ok(check_log(&claimed?, log)?)
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        let connection = self.connection().await?;
        let rows = sqlx::query(CHECKPOINT).fetch_all(connection).await;
        let rows = rows.map_err(DatabaseError::query("read the checkpoint"));
        self.used(&rows);
        Ok(checkpoint_of(&rows?)?)
    }

    async fn apply(
        &mut self,
        batch: &EventBatch,
        checkpoint: &Checkpoint,
    ) -> Result<ApplyOutcome, SinkError> {
        let rows = Rows::of(batch)?;
        self.write(&rows, checkpoint).await?;
        Ok(ApplyOutcome::Durable)
    }

    /// Moves the WAL into the file, which then contains everything. Removes the WAL if no other connection is open.
    async fn close(&mut self) -> Result<(), SinkError> {
        let connection = self.connection().await?;
        let moved = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(connection).await;
        let moved = moved.map_err(DatabaseError::query("move the WAL into the file"));
        self.used(&moved);
        moved?;
        match self.connection.take() {
            Some(connection) => {
                Ok(connection.close().await.map_err(DatabaseError::query("close the database"))?)
            }
            None => Ok(()),
        }
    }
}

async fn claim(connection: &mut SqliteConnection, log: &LogId) -> Result<Vec<SqliteRow>, sqlx::Error> {
    sqlx::query(CLAIM).bind(log.as_str()).execute(&mut *connection).await?;
    sqlx::query(LOG).fetch_all(connection).await
}

async fn write_batch(
    connection: &mut SqliteConnection,
    upserts: &Upserts,
    rows: &Rows,
    checkpoint: &Checkpoint,
) -> Result<(), sqlx::Error> {
    // If the transaction is dropped before its commit, it is rolled back.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    write_all(&mut transaction, &upserts.orders, &rows.orders, |order, q| bind_order(order, q)).await?;
    write_all(&mut transaction, &upserts.history, &rows.history, bind_history).await?;
    write_all(&mut transaction, &upserts.shipments, &rows.shipments, bind_shipment).await?;
    write_all(&mut transaction, &upserts.stock, &rows.stock, bind_stock).await?;
    let partitions: Vec<_> = checkpoint.0.iter().collect();
    write_all(&mut transaction, &upserts.checkpoints, &partitions, bind_partition).await?;
    transaction.commit().await
}

async fn write_all<'r, T>(
    connection: &mut SqliteConnection,
    upsert: &Upsert,
    mut rows: &'r [T],
    bind: impl Fn(&'r T, Statement<'r>) -> Statement<'r>,
) -> Result<(), sqlx::Error> {
    while let Some((sql, chunk)) = upsert.next(&mut rows) {
        // The text is made of constants and question marks only.
        let mut statement = sqlx::query(AssertSqlSafe(sql));
        for row in chunk {
            statement = bind(row, statement);
        }
        statement.execute(&mut *connection).await?;
    }
    Ok(())
}

fn bind_order<'r>(order: &'r Order, statement: Statement<'r>) -> Statement<'r> {
    statement
        .bind(order.id.as_uuid())
        .bind(order.customer_id.as_str())
        .bind(order.status.as_str())
        .bind(integer(order.version))
        .bind(currency_of(order))
        .bind(order.total.map(|total| integer(total.0)))
        .bind(Json(&order.lines))
        .bind(order.channel.as_deref())
        .bind(order.notes.as_deref())
        .bind(order.fail_reason.as_deref())
        .bind(failures_of(order).map(Json))
        .bind(order.idempotency_key.as_ref().map(|key| key.as_str()))
        .bind(order.placed_at.as_micros())
        .bind(order.created_at.as_micros())
        .bind(order.updated_at.as_micros())
        .bind(order.reserve_for.map(i64::from))
        .bind(order.courier_id.as_deref())
        .bind(order.acted_by.as_deref())
        .bind(order.acted_at.map(Timestamp::as_micros))
        .bind(returned_of(order).map(Json))
}

fn bind_history<'r>(entry: &'r HistoryEntry, statement: Statement<'r>) -> Statement<'r> {
    statement
        .bind(entry.order_id.as_uuid())
        .bind(integer(entry.version))
        .bind(entry.change.kind())
        .bind(entry.status.as_str())
        .bind(entry.from.as_ref().map(|from| from.as_str()))
        .bind(entry.at.as_micros())
        .bind(entry.by.role.as_str())
        .bind(entry.by.subject.as_str())
        .bind(entry.reason.as_deref())
        .bind(integer(entry.cause.0))
}

fn bind_shipment<'r>(entry: &'r ShipmentEntry, statement: Statement<'r>) -> Statement<'r> {
    statement
        .bind(entry.order_id.as_uuid())
        .bind(integer(entry.offset.0))
        .bind(entry.at.as_micros())
        .bind(entry.event.status.as_str())
        .bind(entry.event.carrier.as_deref())
        .bind(entry.event.tracking_number.as_deref())
        .bind(entry.event.location.as_deref())
        .bind(entry.event.occurred_at.map(Timestamp::as_micros))
        .bind(entry.event.event_id.as_deref())
        .bind(entry.by.role.as_str())
        .bind(entry.by.subject.as_str())
}

fn bind_stock<'r>(item: &'r StockItem, statement: Statement<'r>) -> Statement<'r> {
    statement
        .bind(item.sku.as_str())
        .bind(integer(item.version.0))
        .bind(integer(item.levels.received))
        .bind(integer(item.levels.available))
        .bind(integer(item.levels.reserved))
        .bind(integer(item.levels.shipped))
        .bind(integer(item.levels.written_off))
        .bind(item.name.as_deref())
        .bind(item.unit_price.map(|price| integer(price.0)))
        .bind(item.currency.as_ref().map(|currency| currency.as_str()))
}

fn bind_partition<'r>(
    (topic_partition, progress): &'r (&TopicPartition, &PartitionCheckpoint),
    statement: Statement<'r>,
) -> Statement<'r> {
    statement
        .bind(topic_partition.topic.as_str())
        .bind(i64::from(topic_partition.partition.0))
        .bind(integer(progress.next.0))
        .bind(integer(progress.number))
        .bind(integer(progress.unreadable))
        .bind(progress.cause.map(|cause| integer(cause.0)))
}
