//! Writing: one connection, and one statement for each batch, which includes the checkpoint.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use orderflow_schemas::LogId;
use orderflow_sinks::{ApplyOutcome, Checkpoint, EventBatch, Sink, SinkError};
use sqlx::{PgConnection, postgres::PgRow};

use super::{
    PostgresSettings, batch,
    connect::{self, Purpose, within},
    schema,
};
use crate::{
    DatabaseError, Rows,
    sql::{CHECKPOINT, CLAIM, LOG, check_log, checkpoint_of},
};

/// How long after the server's own time limit an answer may still come before the server counts as unavailable.
const ANSWER_GRACE: Duration = Duration::from_secs(5);

/// The database sink over Postgres.
pub struct PostgresSink {
    url: String,
    settings: PostgresSettings,
    /// `None` after an error or a dropped write, because the state of that connection is unknown.
    connection: Option<PgConnection>,
    /// The checkpoint that this sink knows to be committed.
    committed: Checkpoint,
}

impl fmt::Debug for PostgresSink {
    /// Omits the URL, which may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink").field("committed", &self.committed).finish_non_exhaustive()
    }
}

impl PostgresSink {
    /// Connects, refuses a server that is too old or tables that are too new, and upgrades the tables.
    pub async fn open(url: &str, settings: &PostgresSettings) -> Result<Self, DatabaseError> {
        schema::migrate(url, settings).await?;
        let mut connection = connect::connect(url, settings, Purpose::Write).await?;
        let committed = read_checkpoint(&mut connection, answer_limit(settings)).await?;
        let (url, settings, connection) = (url.to_owned(), settings.clone(), Some(connection));
        Ok(Self { url, settings, connection, committed })
    }

    /// Takes the connection out of `self`, or opens a new one. A caller that has used it without an error puts it back.
    async fn take_connection(&mut self) -> Result<PgConnection, DatabaseError> {
        if let Some(connection) = self.connection.take() {
            return Ok(connection);
        }
        let mut connection = connect::connect(&self.url, &self.settings, Purpose::Write).await?;
        let found = read_checkpoint(&mut connection, answer_limit(&self.settings)).await?;
        check_not_behind(&self.committed, &found)?;
        Ok(connection)
    }

    async fn write(&mut self, rows: &Rows, checkpoint: &Checkpoint) -> Result<(), DatabaseError> {
        let mut connection = self.take_connection().await?;
        let limit = answer_limit(&self.settings);
        let written = within(limit, batch::write(&mut connection, rows, checkpoint)).await;
        written.map_err(DatabaseError::query("write a batch"))?;
        self.connection = Some(connection);
        for (topic_partition, progress) in &checkpoint.0 {
            let committed = self.committed.0.entry(*topic_partition).or_default();
            if progress.next >= committed.next {
                *committed = *progress;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for PostgresSink {
    fn name(&self) -> &'static str {
        "database"
    }

    async fn claim(&mut self, log: &LogId) -> Result<(), SinkError> {
        let mut connection = self.take_connection().await?;
        let claimed = within(answer_limit(&self.settings), claim(&mut connection, log)).await;
        let claimed = claimed.map_err(DatabaseError::query("remember the log"))?;
        self.connection = Some(connection);
        Ok(check_log(&claimed, log)?)
    }

    async fn checkpoint(&mut self) -> Result<Checkpoint, SinkError> {
        let mut connection = self.take_connection().await?;
        let checkpoint = read_checkpoint(&mut connection, answer_limit(&self.settings)).await?;
        self.connection = Some(connection);
        self.committed = checkpoint.clone();
        Ok(checkpoint)
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
}

fn answer_limit(settings: &PostgresSettings) -> Duration {
    Duration::from_millis(settings.write_ms_max) + ANSWER_GRACE
}

async fn claim(connection: &mut PgConnection, log: &LogId) -> Result<Vec<PgRow>, sqlx::Error> {
    sqlx::query(CLAIM).bind(log.as_str()).execute(&mut *connection).await?;
    sqlx::query(LOG).fetch_all(connection).await
}

async fn read_checkpoint(
    connection: &mut PgConnection,
    limit: Duration,
) -> Result<Checkpoint, DatabaseError> {
    let rows = within(limit, sqlx::query(CHECKPOINT).fetch_all(connection)).await;
    checkpoint_of(&rows.map_err(DatabaseError::query("read the checkpoint"))?)
}

/// Refuses a server whose checkpoint is behind what this process has committed. A new connection may lead to another
/// server: a standby that took over without the last commits, or a restored backup. Continuing there would leave out
/// the rows of these commits permanently.
fn check_not_behind(committed: &Checkpoint, found: &Checkpoint) -> Result<(), DatabaseError> {
    for (topic_partition, progress) in &committed.0 {
        let found = found.partition(*topic_partition).next;
        if found < progress.next {
            return Err(DatabaseError::WentBack {
                topic_partition: *topic_partition,
                committed: progress.next,
                found,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::Offset;

    use super::*;
    use crate::samples::{batch, reserved};

    #[test]
    fn a_server_that_lost_commits_is_noticed_and_one_that_is_ahead_is_fine() {
        let upto = |next| batch((0, vec![]), (next, vec![reserved("A", 1)])).1;
        check_not_behind(&upto(5), &upto(5)).unwrap();
        check_not_behind(&upto(5), &upto(9)).unwrap();
        check_not_behind(&Checkpoint::default(), &upto(9)).unwrap();
        let error = check_not_behind(&upto(5), &upto(4)).unwrap_err();
        assert!(matches!(error, DatabaseError::WentBack { found: Offset(5), .. }), "{error}");
    }
}
