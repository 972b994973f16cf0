//! The database sink over SQLite, through its public traits.

use std::path::Path;

use orderflow_schemas::{Amount, Order, Sku, Timestamp, order::Failure, order::Problem};
use proptest::prelude::*;
use sqlx::{ConnectOptions, Executor, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;

use super::*;
use crate::{
    contract::{Checkpoint, Sink, SinkError},
    database::{Audit, Catalogue, DatabaseError, OrderFilter, Reader, Slice, Start, StockItem},
    samples::{batch, changed, id, order, product, reserved},
};

struct Fixture {
    directory: TempDir,
    sink: SqliteSink,
    reader: SqliteReader,
}

async fn fixture() -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    let (sink, reader) = open(directory.path()).await;
    Fixture { directory, sink, reader }
}

async fn open(directory: &Path) -> (SqliteSink, SqliteReader) {
    let (path, settings) = (directory.join("orderflow.db"), SqliteSettings::default());
    let sink = SqliteSink::open(&path, &settings).await.unwrap();
    (sink, SqliteReader::open(&path, &settings).await.unwrap())
}

async fn raw(directory: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(directory.join("orderflow.db")).connect().await.unwrap()
}

type Content = (Vec<Order>, Vec<crate::database::HistoryEntry>, Vec<StockItem>, Checkpoint);

async fn content(reader: &SqliteReader) -> Content {
    let (mut orders, mut history, mut stock) = (Vec::new(), Vec::new(), Vec::new());
    reader.for_each_order(&mut |order| orders.push(order)).await.unwrap();
    reader.for_each_history(&mut |entry| history.push(entry)).await.unwrap();
    reader.for_each_stock(&mut |item| stock.push(item)).await.unwrap();
    (orders, history, stock, reader.checkpoint().await.unwrap())
}

#[tokio::test]
async fn a_batch_applied_twice_is_as_if_applied_once_and_survives_reopening() {
    let Fixture { directory, mut sink, reader } = fixture().await;
    let orders = vec![changed(order(1, 1, "CREATED")), changed(order(1, 2, "RESERVED"))];
    let (batch, checkpoint) = batch((0, orders), (0, vec![product("A", "Apple", 5), reserved("A", 4)]));
    sink.apply(&batch, &checkpoint).await.unwrap();
    let once = content(&reader).await;
    sink.apply(&batch, &checkpoint).await.unwrap();
    assert_eq!(content(&reader).await, once);
    drop((sink, reader));
    let (mut sink, reader) = open(directory.path()).await;
    assert_eq!(content(&reader).await, once);
    assert_eq!(sink.checkpoint().await.unwrap(), checkpoint);
    assert_eq!((once.0.len(), once.1.len(), once.2.len()), (1, 2, 1));
}

#[tokio::test]
async fn an_older_version_never_overwrites_a_newer_one() {
    let Fixture { mut sink, reader, directory: _directory } = fixture().await;
    let events = (1, vec![changed(order(1, 2, "RESERVED"))]);
    let (newer, checkpoint) = batch(events, (1, vec![product("A", "Apple", 4)]));
    sink.apply(&newer, &checkpoint).await.unwrap();
    let (older, before) =
        batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![product("A", "Old", 9)]));
    sink.apply(&older, &before).await.unwrap();
    let (orders, history, stock, stored) = content(&reader).await;
    assert_eq!((orders[0].version, orders[0].status.as_str()), (2, "RESERVED"));
    assert_eq!(history.len(), 2, "the history has every version");
    assert_eq!((stock[0].name.as_deref(), stock[0].levels.available), (Some("Apple"), 4));
    assert_eq!(stored, checkpoint, "the checkpoint does not go back");
}

#[tokio::test]
async fn an_error_in_the_middle_leaves_neither_rows_nor_checkpoint() {
    let Fixture { directory, mut sink, reader } = fixture().await;
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON stock BEGIN SELECT raise(ABORT, 'fault'); END";
    raw(directory.path()).await.execute(fault).await.unwrap();
    let (batch, checkpoint) = batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![reserved("A", 1)]));
    let error = sink.apply(&batch, &checkpoint).await.unwrap_err();
    assert!(matches!(error, SinkError::Stop { .. }), "{error}");
    assert_eq!(content(&reader).await, Content::default());
    raw(directory.path()).await.execute("DROP TRIGGER fault").await.unwrap();
    sink.apply(&batch, &checkpoint).await.unwrap();
    assert_eq!(reader.checkpoint().await.unwrap(), checkpoint);
}

#[tokio::test]
async fn a_transaction_that_the_database_ended_itself_is_followed_by_others() {
    let Fixture { directory, mut sink, reader } = fixture().await;
    // What SQLite also does when the disk is full.
    let fault = "CREATE TRIGGER fault BEFORE INSERT ON stock BEGIN SELECT raise(ROLLBACK, 'fault'); END";
    raw(directory.path()).await.execute(fault).await.unwrap();
    let (batch, checkpoint) = batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![reserved("A", 1)]));
    for _ in 0..2 {
        let error = sink.apply(&batch, &checkpoint).await.unwrap_err();
        assert!(error.to_string().contains("fault"), "{error}");
    }
    assert_eq!(content(&reader).await, Content::default());
    raw(directory.path()).await.execute("DROP TRIGGER fault").await.unwrap();
    sink.apply(&batch, &checkpoint).await.unwrap();
    assert_eq!(reader.checkpoint().await.unwrap(), checkpoint);
}

#[tokio::test]
async fn a_newer_schema_is_refused_by_name() {
    let Fixture { directory, sink, .. } = fixture().await;
    drop(sink);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (999, 'from the future', true, x'00', 0)";
    raw(directory.path()).await.execute(newer).await.unwrap();
    let path = directory.path().join("orderflow.db");
    let error = SqliteSink::open(&path, &SqliteSettings::default()).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Newer { found: 999, known: SCHEMA_VERSION }), "{error}");
}

#[tokio::test]
async fn paging_by_key_visits_each_order_once_while_others_come_in() {
    let Fixture { mut sink, reader, directory: _directory } = fixture().await;
    let created = |range: std::ops::Range<u32>| range.map(|n| changed(order(n, 1, "CREATED"))).collect();
    let (first, checkpoint) = batch((0, created(0..20)), (0, vec![]));
    sink.apply(&first, &checkpoint).await.unwrap();
    let (mut start, mut seen) = (Start::First, Vec::new());
    for round in 0.. {
        let page = reader.orders(&OrderFilter::default(), &Slice { start, limit: 7 }).await.unwrap();
        let Some(last) = page.last() else { break };
        start = Start::After(last.id);
        seen.extend(page.into_iter().map(|order| order.id));
        let (more, checkpoint) = batch((20, created(100 + round..101 + round)), (0, vec![]));
        sink.apply(&more, &checkpoint).await.unwrap();
    }
    assert_eq!(seen, (0..20).rev().map(id).collect::<Vec<_>>());
}

#[tokio::test]
async fn filters_and_counts_agree_with_a_scan() {
    let Fixture { mut sink, reader, directory: _directory } = fixture().await;
    let statuses = ["CREATED", "RESERVED"];
    let orders: Vec<_> = (0..30).map(|n| order(n, 1, statuses[n as usize % 2])).collect();
    let (batch, checkpoint) = batch((0, orders.iter().cloned().map(changed).collect()), (0, vec![]));
    sink.apply(&batch, &checkpoint).await.unwrap();
    let time = |n: i64| Some(Timestamp::from_micros(1_000 * n));
    let status = Some("RESERVED".parse().unwrap());
    let customer_id = Some("customer-1".parse().unwrap());
    let idempotency_key = Some("key-7".parse().unwrap());
    for filter in [
        OrderFilter::default(),
        OrderFilter { status: status.clone(), ..Default::default() },
        OrderFilter { status: status.clone(), customer_id: customer_id.clone(), ..Default::default() },
        OrderFilter { from: time(5), to: time(12), ..Default::default() },
        OrderFilter { status, customer_id, idempotency_key, from: time(7), to: time(8) },
        OrderFilter { from: time(8), to: time(8), ..Default::default() },
    ] {
        let slice = Slice { start: Start::Skip(1), limit: 1_000 };
        let read = reader.orders(&filter, &slice).await.unwrap();
        let mut expected: Vec<_> =
            orders.iter().filter(|order| lets_through(&filter, order)).cloned().collect();
        assert_eq!(reader.count_orders(&filter).await.unwrap(), expected.len() as u64, "{filter:?}");
        expected.reverse();
        assert_eq!(read, expected.into_iter().skip(1).collect::<Vec<_>>(), "{filter:?}");
    }
}

fn lets_through(filter: &OrderFilter, order: &Order) -> bool {
    filter.status.as_ref().is_none_or(|status| *status == order.status)
        && filter.customer_id.as_ref().is_none_or(|id| *id == order.customer_id)
        && filter.from.is_none_or(|from| order.placed_at >= from)
        && filter.to.is_none_or(|to| order.placed_at < to)
        && (filter.idempotency_key.is_none() || filter.idempotency_key == order.idempotency_key)
}

#[tokio::test]
async fn lists_are_served_by_an_index_and_never_sorted() {
    let Fixture { directory, .. } = fixture().await;
    let mut connection = raw(directory.path()).await;
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
        let mut query = sqlx::QueryBuilder::new("EXPLAIN QUERY PLAN SELECT * FROM orders");
        queries::push_filter(&mut query, &filter);
        queries::push_order_start(&mut query, &Start::After(id(1)), 10);
        let plan: Vec<(i64, i64, i64, String)> =
            query.build_query_as().fetch_all(&mut connection).await.unwrap();
        assert_eq!(plan.len(), 1, "one step, no sort: {plan:?}");
        assert!(plan[0].3.contains(index), "{plan:?}");
    }
}

#[tokio::test]
async fn stock_and_history_are_paged_by_their_keys() {
    let Fixture { mut sink, reader, directory: _directory } = fixture().await;
    let orders = (1..=5).map(|version| changed(order(1, version, "CREATED"))).collect();
    let stock = vec![reserved("C", 1), product("B", "Bread", 2), reserved("A", 3)];
    let (batch, checkpoint) = batch((0, orders), (0, stock));
    sink.apply(&batch, &checkpoint).await.unwrap();
    let after = Start::After("A".parse::<Sku>().unwrap());
    let skus = reader.stocks(Catalogue::All, &Slice { start: after, limit: 10 }).await.unwrap();
    assert_eq!(skus.iter().map(|item| item.sku.as_str()).collect::<Vec<_>>(), ["B", "C"]);
    let products =
        reader.stocks(Catalogue::Products, &Slice { start: Start::First, limit: 10 }).await.unwrap();
    assert_eq!(products.len(), 1);
    assert_eq!(reader.count_stocks(Catalogue::All).await.unwrap(), 3);
    assert_eq!(reader.stock(&"B".parse().unwrap()).await.unwrap().as_ref(), products.first());
    assert_eq!(reader.stock(&"Z".parse().unwrap()).await.unwrap(), None);
    let history = reader.history(id(1), &Slice { start: Start::After(2), limit: 2 }).await.unwrap();
    assert_eq!(history.iter().map(|entry| entry.version).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(reader.count_history(id(1)).await.unwrap(), 5);
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
                problem: Problem::PriceChanged,
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
