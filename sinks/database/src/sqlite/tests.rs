//! Tests of the database sink over SQLite: the suite of all databases, and what can go wrong only in SQLite.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use orderflow_schemas::lists::Start;
use orderflow_schemas::{Amount, Order, Timestamp, order::Failure, order::FailureCode};
use orderflow_sinks::{Checkpoint, Sink};
use proptest::prelude::*;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::*;
use crate::{
    DatabaseAudit, DatabaseError, DatabaseReader, OrderFilter,
    conformance::{self, Opened, Subject},
    samples::{batch, changed, id, order, reserved},
    sql::{Select, push_filter, push_order_start},
};

struct Fixture {
    directory: TempDir,
    sink: SqliteSink,
    reader: SqliteReader,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let (sink, reader) = open(&file(directory.path())).await.unwrap();
    Fixture { directory, sink, reader }
}

fn file(directory: &Path) -> PathBuf {
    directory.join("orderflow.db")
}

async fn open(path: &Path) -> Result<(SqliteSink, SqliteReader), DatabaseError> {
    let settings = SqliteSettings::default();
    let sink = SqliteSink::open(path, &settings).await?;
    Ok((sink, SqliteReader::open(path, &settings).await?))
}

async fn raw(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).connect().await.unwrap()
}

/// A subject whose stores are the files of one directory.
struct Directory(TempDir);

#[async_trait]
impl Subject for Directory {
    async fn open(&self, store: &'static str) -> Result<Opened, DatabaseError> {
        let (sink, reader) = open(&self.0.path().join(store)).await?;
        Ok(Opened { sink: Box::new(sink), reader: Box::new(reader.clone()), audit: Box::new(reader) })
    }

    async fn execute(&self, store: &'static str, sql: &'static str) -> Result<(), DatabaseError> {
        let done = raw(&self.0.path().join(store)).await.execute(sql).await;
        done.map(|_| ()).map_err(DatabaseError::query("execute"))
    }
}

#[tokio::test]
async fn sqlite_does_what_every_database_must() {
    conformance::run(&Directory(tempfile::tempdir().unwrap())).await;
}

#[tokio::test]
async fn a_transaction_that_the_database_ended_itself_is_followed_by_others() {
    let Fixture { directory, mut sink, reader } = fixture().await;
    // SQLite also rolls back when the disk is full.
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON stock BEGIN SELECT raise(ROLLBACK, 'fault'); END";
    raw(&file(directory.path())).await.execute(fault).await.unwrap();
    let (batch, checkpoint) = batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![reserved("A", 1)]));
    for _ in 0..2 {
        let error = sink.apply(&batch, &checkpoint).await.unwrap_err();
        assert!(error.to_string().contains("fault"), "{error}");
    }
    assert_eq!(reader.checkpoint().await.unwrap(), Checkpoint::default());
    raw(&file(directory.path())).await.execute("DROP TRIGGER fault").await.unwrap();
    sink.apply(&batch, &checkpoint).await.unwrap();
    assert_eq!(reader.checkpoint().await.unwrap(), checkpoint);
}

#[tokio::test]
async fn a_database_that_is_busy_is_tried_again_later() {
    let Fixture { directory, .. } = fixture().await;
    let options = SqliteConnectOptions::new().filename(file(directory.path()));
    let mut first = raw(&file(directory.path())).await;
    first.execute("BEGIN IMMEDIATE").await.unwrap();
    let mut second = options.busy_timeout(std::time::Duration::ZERO).connect().await.unwrap();
    let error = second.execute("BEGIN IMMEDIATE").await.unwrap_err();
    assert!(DatabaseError::query("write")(error).is_transient());
}

async fn put(sink: &mut SqliteSink, order: Order) {
    let (batch, checkpoint) = batch((0, vec![changed(order)]), (0, vec![]));
    sink.apply(&batch, &checkpoint).await.unwrap();
}

fn wal_bytes(path: &Path) -> u64 {
    std::fs::metadata(path.with_extension("db-wal")).map_or(0, |wal| wal.len())
}

#[tokio::test]
async fn once_it_is_closed_one_file_holds_everything() {
    let Fixture { directory, mut sink, reader } = fixture().await;
    put(&mut sink, order(1, 1, "CREATED")).await;
    assert!(reader.order(id(1)).await.unwrap().is_some());
    let path = file(directory.path());
    assert!(wal_bytes(&path) > 0, "there is nothing to move");
    reader.close().await;
    sink.close().await.unwrap();
    let names: Vec<_> =
        std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["orderflow.db"]);
    let copy = directory.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let copy = SqliteReader::open(&copy, &SqliteSettings::default()).await.unwrap();
    assert!(copy.order(id(1)).await.unwrap().is_some());
}

#[tokio::test]
async fn with_somebody_else_connected_the_file_holds_everything_all_the_same() {
    let Fixture { directory, mut sink, reader } = fixture().await;
    put(&mut sink, order(1, 1, "CREATED")).await;
    assert!(reader.order(id(1)).await.unwrap().is_some());
    sink.close().await.unwrap();
    assert_eq!(wal_bytes(&file(directory.path())), 0);
}

#[tokio::test]
async fn the_wal_shrinks_back_when_a_long_reader_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = file(directory.path());
    let settings = SqliteSettings { wal_bytes: 1 << 20, ..SqliteSettings::default() };
    let mut sink = SqliteSink::open(&path, &settings).await.unwrap();
    let mut write = async |from: u32| {
        for n in from..from + 200 {
            let notes = Some("x".repeat(8 << 10).into());
            put(&mut sink, Order { notes, ..order(n, 1, "CREATED") }).await;
        }
    };
    write(0).await;
    let mut long = raw(&path).await;
    long.execute("BEGIN; SELECT count(*) FROM orders").await.unwrap();
    write(200).await;
    let grown = wal_bytes(&path);
    assert!(grown > 2 << 20, "the reader held nothing back: {grown}");
    long.execute("COMMIT").await.unwrap();
    write(400).await;
    let shrunk = wal_bytes(&path);
    assert!(shrunk < 2 << 20, "{shrunk} of {grown}");
}

#[tokio::test]
async fn lists_are_served_by_an_index_and_never_sorted() {
    let Fixture { directory, .. } = fixture().await;
    let mut connection = raw(&file(directory.path())).await;
    let (status, customer_id) = (Some("X".parse().unwrap()), Some("c".parse().unwrap()));
    let idempotency_key = Some("k".parse().unwrap());
    for (filter, index) in [
        (OrderFilter { status: status.clone(), ..Default::default() }, "orders_by_status"),
        (
            OrderFilter { status: status.clone(), customer_id: customer_id.clone(), ..Default::default() },
            "orders_by_customer",
        ),
        (
            OrderFilter { status, customer_id, idempotency_key, ..Default::default() },
            "orders_by_idempotency_key",
        ),
        (OrderFilter::default(), "PRIMARY KEY"),
    ] {
        let mut select = Select::new("EXPLAIN QUERY PLAN SELECT * FROM orders");
        push_filter::<SqliteReader>(&mut select, &filter);
        push_order_start(&mut select, &Start::After(id(1)), 10);
        // SQLite treats unbound values as NULL, which does not change the plan.
        let plan = sqlx::query_as::<_, (i64, i64, i64, String)>(AssertSqlSafe(select.into_parts().0));
        let plan = plan.fetch_all(&mut connection).await.unwrap();
        assert_eq!(plan.len(), 1, "one step, no sort: {plan:?}");
        assert!(plan[0].3.contains(index), "{plan:?}");
    }
}

fn any_order() -> impl Strategy<Value = Order> {
    let texts = (
        ".{0,20}",
        proptest::option::of(".{0,40}"),
        proptest::option::of("[^\\s\\x00-\\x1f\\x7f-\\x9f]{1,20}"),
    );
    (any::<u32>(), 1..i64::MAX as u64, proptest::option::of(0..=Amount::TOTAL_MAX.0), texts, 0..4usize)
        .prop_map(|(n, version, total, (channel, notes, key), failures)| {
            let failure = Failure {
                sku: "Größe\"'42".parse().unwrap(),
                problem: FailureCode::PriceChanged,
                requested: n,
                available: version,
                unit_price: None,
                currency: Some("EUR".parse().unwrap()),
            };
            Order {
                total: total.map(Amount),
                channel: Some(channel.into()),
                notes: notes.map(Into::into),
                fail_reason: (failures > 0).then(|| "price-changed".into()),
                failures: vec![failure; failures].into(),
                idempotency_key: key.and_then(|key| key.parse().ok()),
                placed_at: Timestamp::from_micros(version as i64 % Timestamp::MAX.as_micros()),
                ..order(n, version, "ÄNDERUNG")
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn an_order_is_read_as_it_was_written(orders in proptest::collection::vec(any_order(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let Fixture { mut sink, reader, directory: _directory } = fixture().await;
            let events = orders.iter().cloned().map(changed).collect();
            let (batch, checkpoint) = batch((0, events), (0, vec![]));
            sink.apply(&batch, &checkpoint).await.unwrap();
            for expected in orders {
                assert_eq!(reader.order(expected.id).await.unwrap().unwrap(), expected);
            }
        });
    }
}
