//! Checks of this module over a running server: the conformance suite, and what can go wrong only in Postgres.
//!
//! They are for tests that start a server, and for trying an existing server (`examples/postgres_checks.rs`). Each
//! store is a schema with a name of its own, removed at the end; nothing else in the database is touched.

use std::{str::FromStr, sync::Mutex, time::Duration};

use async_trait::async_trait;
use orderflow_schemas::Offset;
use orderflow_schemas::lists::Start;
use orderflow_sinks::{Checkpoint, EventBatch, Sink, SinkError};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::{PostgresReader, PostgresSettings, PostgresSink, SchemaName};
use crate::{
    DatabaseError, DatabaseReader, OrderFilter,
    conformance::{self, Opened, Subject},
    samples::{batch, changed, id, order, reserved},
    sql::{Select, push_filter, push_order_start},
};

/// Runs all checks over the database at `url`, whose role may create schemas. Panics at the first violation.
pub async fn run(url: &str) {
    let server = Server::new(url);
    conformance::run(&server).await;
    processes_that_start_together_take_turns(&server).await;
    a_session_that_was_ended_is_replaced(&server).await;
    a_server_that_lost_commits_is_not_written_on(&server).await;
    a_read_has_a_limit_of_time(&server).await;
    readers_cannot_write(&server).await;
    lists_are_served_by_an_index_and_never_sorted(&server).await;
    server.clean().await;
}

/// Checks the behaviour during an outage: `stop` stops the server, `start` starts it again on the same data.
pub async fn run_outage(url: &str, stop: impl AsyncFn(), start: impl AsyncFn()) {
    let server = Server::new(url);
    let (mut sink, reader) = (server.sink("outage").await, server.reader("outage").await);
    let (batch, checkpoint) = one_order();
    sink.apply(&batch, &checkpoint).await.expect("a batch can be applied");
    stop().await;
    // Sessions may outlive their server until they notice that it has stopped.
    let error = loop {
        if let Err(error) = sink.apply(&batch, &checkpoint).await {
            break error;
        }
    };
    assert!(matches!(error, SinkError::Retry { .. }), "{error}");
    while reader.order(id(1)).await.is_ok() {}
    for _ in 1..server.settings("outage").breaker_failures {
        let error = reader.order(id(1)).await.expect_err("the server is away");
        assert!(error.is_transient(), "{error}");
    }
    let error = reader.order(id(1)).await.expect_err("the server is away");
    assert!(matches!(error, DatabaseError::Unavailable { .. }), "it was not asked again: {error}");
    start().await;
    while let Err(error) = reader.order(id(1)).await {
        assert!(error.is_transient(), "{error}");
        tokio::task::yield_now().await;
    }
    sink.apply(&batch, &checkpoint).await.expect("a new session is opened");
    server.clean().await;
}

struct Server {
    /// The URL with the name of this run as the application name of all its sessions.
    url: String,
    /// The name of this run, which keeps its schemas and sessions apart from those of others.
    run: String,
    schemas: Mutex<Vec<SchemaName>>,
}

impl Server {
    fn new(url: &str) -> Self {
        let run = Uuid::new_v4().simple().to_string();
        let mark = if url.contains('?') { '&' } else { '?' };
        Self { url: format!("{url}{mark}application_name={run}"), run, schemas: Mutex::default() }
    }

    fn settings(&self, store: &str) -> PostgresSettings {
        let schema = SchemaName::try_from(format!("check_{store}_{}", self.run)).expect("a name of a schema");
        let mut schemas = self.schemas.lock().expect("nobody panics with it");
        if !schemas.contains(&schema) {
            schemas.push(schema.clone());
        }
        PostgresSettings { schema, read_ms_max: 1_000, ..PostgresSettings::default() }
    }

    async fn sink(&self, store: &str) -> PostgresSink {
        PostgresSink::open(&self.url, &self.settings(store)).await.expect("the sink opens")
    }

    async fn reader(&self, store: &str) -> PostgresReader {
        PostgresReader::open(&self.url, &self.settings(store)).await.expect("the reader opens")
    }

    /// A session in the store's schema that belongs to neither a sink nor a reader.
    async fn session(&self, store: &str) -> PgConnection {
        let schema = self.settings(store).schema;
        let options = PgConnectOptions::from_str(&self.url).expect("a URL");
        let options =
            options.options([("search_path", schema.as_str())]).application_name("orderflow checks");
        options.connect().await.expect("a session")
    }

    /// Ends the sessions of this run's sinks and readers, and waits until they have ended.
    async fn end_sessions(&self) {
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1";
        let mut session = self.session("clean").await;
        let mut ended = 1;
        while ended > 0 {
            let sessions = sqlx::query(sql).bind(&self.run).execute(&mut session).await;
            ended = sessions.expect("sessions can be ended").rows_affected();
        }
    }

    async fn clean(&self) {
        let mut session = self.session("clean").await;
        let schemas = std::mem::take(&mut *self.schemas.lock().expect("nobody panics with it"));
        for schema in schemas {
            let sql = format!("DROP SCHEMA IF EXISTS \"{schema}\" CASCADE");
            session.execute(AssertSqlSafe(sql)).await.expect("a schema can be dropped");
        }
    }
}

#[async_trait]
impl Subject for Server {
    async fn open(&self, store: &'static str) -> Result<Opened, DatabaseError> {
        let settings = self.settings(store);
        let sink = PostgresSink::open(&self.url, &settings).await?;
        let reader = PostgresReader::open(&self.url, &settings).await?;
        Ok(Opened { sink: Box::new(sink), reader: Box::new(reader.clone()), audit: Box::new(reader) })
    }

    async fn execute(&self, store: &'static str, sql: &'static str) -> Result<(), DatabaseError> {
        let done = self.session(store).await.execute(sql).await;
        done.map(|_| ()).map_err(DatabaseError::query("execute"))
    }
}

fn one_order() -> (EventBatch, Checkpoint) {
    batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![reserved("A", 1)]))
}

async fn processes_that_start_together_take_turns(server: &Server) {
    let open = || Box::pin(server.sink("together"));
    tokio::join!(open(), open(), open());
}

async fn a_session_that_was_ended_is_replaced(server: &Server) {
    let (mut sink, reader) = (server.sink("ended").await, server.reader("ended").await);
    let (batch, checkpoint) = one_order();
    sink.apply(&batch, &checkpoint).await.expect("a batch can be applied");
    reader.order(id(1)).await.expect("an order can be read");
    server.end_sessions().await;
    let error = sink.apply(&batch, &checkpoint).await.expect_err("the session has ended");
    assert!(matches!(error, SinkError::Retry { .. }), "{error}");
    sink.apply(&batch, &checkpoint).await.expect("a new session is opened");
    // A reader may report once for each of its sessions that the session has ended. It must not report that the server
    // is unavailable.
    let mut read = reader.order(id(1)).await;
    if let Err(error) = &read {
        assert!(error.is_transient(), "{error}");
        read = reader.order(id(1)).await;
    }
    assert!(read.expect("a new session is opened").is_some());
}

async fn a_server_that_lost_commits_is_not_written_on(server: &Server) {
    let mut sink = server.sink("lost").await;
    let (batch, checkpoint) = one_order();
    sink.apply(&batch, &checkpoint).await.expect("a batch can be applied");
    server.execute("lost", "DELETE FROM checkpoints").await.expect("rows can be deleted");
    server.end_sessions().await;
    sink.apply(&batch, &checkpoint).await.expect_err("the session has ended");
    let error = sink.apply(&batch, &checkpoint).await.expect_err("the checkpoint is gone");
    let SinkError::Stop { source, .. } = &error else { panic!("{error}") };
    let lost = source.downcast_ref::<DatabaseError>();
    assert!(matches!(lost, Some(DatabaseError::WentBack { found: Offset(0), .. })), "{error}");
}

async fn a_read_has_a_limit_of_time(server: &Server) {
    drop(server.sink("limit").await);
    let settings = PostgresSettings { read_ms_max: 50, ..server.settings("limit") };
    let reader = PostgresReader::open(&server.url, &settings).await.expect("the reader opens");
    let mut session = server.session("limit").await;
    session
        .execute("BEGIN; LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
        .await
        .expect("a table can be locked");
    for _ in 0..=settings.breaker_failures {
        let error = reader.order(id(1)).await.expect_err("the table is locked");
        assert!(error.is_transient(), "{error}");
        let asked = !matches!(error, DatabaseError::Unavailable { .. });
        assert!(asked, "a slow statement does not say that the server is away");
    }
    session.close().await.expect("the lock is given up");
    let read =
        tokio::time::timeout(Duration::from_secs(10), async { while reader.order(id(1)).await.is_err() {} });
    read.await.expect("the table can be read again");
}

async fn readers_cannot_write(server: &Server) {
    drop(server.sink("readonly").await);
    let settings = server.settings("readonly");
    let purpose = super::connect::Purpose::Read;
    let mut connection = super::connect::connect(&server.url, &settings, purpose).await.expect("a session");
    connection.execute("DELETE FROM orders").await.expect_err("readers only read");
}

async fn lists_are_served_by_an_index_and_never_sorted(server: &Server) {
    drop(server.sink("plans").await);
    let mut session = server.session("plans").await;
    // The tables are empty. Only a planner that has no other choice shows whether the list can be read this way.
    session.execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.expect("a setting");
    let status = Some("X".parse().expect("a status"));
    let customer_id = Some("c".parse().expect("a customer id"));
    let idempotency_key = Some("k".parse().expect("a key"));
    let by_status = OrderFilter { status, ..Default::default() };
    let by_customer = OrderFilter { customer_id, ..by_status.clone() };
    let by_key = OrderFilter { idempotency_key, ..by_customer.clone() };
    for (filter, index) in [
        (by_status, "orders_by_status"),
        (by_customer, "orders_by_customer"),
        (by_key, "orders_by_idempotency_key"),
        (OrderFilter::default(), "orders_pkey"),
    ] {
        let mut select = Select::new("EXPLAIN (COSTS OFF) SELECT * FROM orders");
        push_filter::<super::PostgresReader>(&mut select, &filter);
        push_order_start(&mut select, &Start::After(id(1)), 10);
        let plan: Vec<String> = super::reader::query(select)
            .try_map(|row: sqlx::postgres::PgRow| sqlx::Row::try_get(&row, 0))
            .fetch_all(&mut session)
            .await
            .expect("a plan");
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Sort"), "{plan}");
    }
}
