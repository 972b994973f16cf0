//! Checks of what reads must return.

use std::ops::Range;

use orderflow_schemas::lists::{Counted, Slice, Start};
use orderflow_schemas::{Order, OrderEvent, Sku, Timestamp};

use super::{Subject, apply, content, open};
use crate::{
    COUNTED_MAX, Catalogue, DatabaseReader, OrderFilter, StockItem,
    samples::{batch, changed, id, order, product, reserved},
};

fn exactly(count: u64) -> Counted {
    Counted { count, is_exact: true }
}

fn created(range: Range<u32>) -> Vec<OrderEvent> {
    range.map(|n| changed(order(n, 1, "CREATED"))).collect()
}

pub(super) async fn paging_by_key_visits_each_order_once_while_others_come_in(subject: &dyn Subject) {
    let mut opened = open(subject, "paging").await;
    apply(&mut *opened.sink, &batch((0, created(0..20)), (0, vec![]))).await;
    let (mut start, mut seen) = (Start::First, Vec::new());
    for round in 0.. {
        let slice = Slice { start, limit: 7 };
        let page = opened.reader.orders(&OrderFilter::default(), &slice).await.expect("orders can be listed");
        let Some(last) = page.last() else { break };
        start = Start::After(last.id);
        seen.extend(page.into_iter().map(|order| order.id));
        apply(&mut *opened.sink, &batch((20, created(100 + round..101 + round)), (0, vec![]))).await;
    }
    assert_eq!(seen, (0..20).rev().map(id).collect::<Vec<_>>());
}

pub(super) async fn filters_and_counts_agree_with_a_scan(subject: &dyn Subject) {
    let mut opened = open(subject, "filters").await;
    let statuses = ["CREATED", "RESERVED"];
    let orders: Vec<_> = (0..30).map(|n| order(n, 1, statuses[n as usize % 2])).collect();
    let events = orders.iter().cloned().map(changed).collect();
    apply(&mut *opened.sink, &batch((0, events), (0, vec![]))).await;
    for filter in filters() {
        let slice = Slice { start: Start::Skip(1), limit: 1_000 };
        let read = opened.reader.orders(&filter, &slice).await.expect("orders can be listed");
        let mut expected: Vec<_> =
            orders.iter().filter(|order| lets_through(&filter, order)).cloned().collect();
        let Counted { count, is_exact } =
            opened.reader.count_orders(&filter).await.expect("orders can be counted");
        assert!(is_exact);
        assert_eq!(count, expected.len() as u64, "{filter:?}");
        expected.reverse();
        assert_eq!(read, expected.into_iter().skip(1).collect::<Vec<_>>(), "{filter:?}");
    }
}

pub(super) async fn totals_by_status_are_exact_however_many_there_are(subject: &dyn Subject) {
    let mut opened = open(subject, "totals").await;
    let count = u32::try_from(COUNTED_MAX).expect("it is small") + 7;
    apply(&mut *opened.sink, &batch((0, created(0..count)), (0, vec![]))).await;
    let changes = (0..3).map(|n| changed(order(n, 2, "RESERVED"))).collect();
    apply(&mut *opened.sink, &batch((u64::from(count), changes), (0, vec![]))).await;
    let total =
        async |filter: OrderFilter| opened.reader.count_orders(&filter).await.expect("orders can be counted");
    let status = |name: &str| OrderFilter { status: name.parse().ok(), ..OrderFilter::default() };
    assert_eq!(total(OrderFilter::default()).await, exactly(count.into()));
    assert_eq!(total(status("CREATED")).await, exactly(u64::from(count) - 3));
    assert_eq!(total(status("RESERVED")).await, exactly(3));
    assert_eq!(total(status("CANCELED")).await, exactly(0));
    let placed = OrderFilter { from: Some(Timestamp::from_micros(0)), ..OrderFilter::default() };
    assert_eq!(total(placed).await, Counted { count: COUNTED_MAX, is_exact: false });
    content(&*opened.audit).await;
}

fn filters() -> Vec<OrderFilter> {
    let time = |n: i64| Some(Timestamp::from_micros(1_000 * n));
    let status = Some("RESERVED".parse().expect("a status"));
    let customer_id = Some("customer-1".parse().expect("a customer id"));
    let customer_ids = ["customer-0", "customer-2", "nobody"].map(|id| id.parse().expect("a customer id"));
    let customer_ids = Some(customer_ids.to_vec());
    let idempotency_key = Some("key-7".parse().expect("a key"));
    vec![
        OrderFilter::default(),
        OrderFilter { status: status.clone(), ..Default::default() },
        OrderFilter { status: status.clone(), customer_id: customer_id.clone(), ..Default::default() },
        OrderFilter { from: time(5), to: time(12), ..Default::default() },
        OrderFilter { customer_ids: customer_ids.clone(), ..Default::default() },
        OrderFilter { customer_ids, status: status.clone(), from: time(2), ..Default::default() },
        OrderFilter {
            status,
            customer_id,
            idempotency_key,
            from: time(7),
            to: time(8),
            ..Default::default()
        },
        OrderFilter { from: time(8), to: time(8), ..Default::default() },
    ]
}

fn lets_through(filter: &OrderFilter, order: &Order) -> bool {
    filter.status.as_ref().is_none_or(|status| *status == order.status)
        && filter.customer_id.as_ref().is_none_or(|id| *id == order.customer_id)
        && filter.customer_ids.as_ref().is_none_or(|ids| ids.contains(&order.customer_id))
        && filter.from.is_none_or(|from| order.placed_at >= from)
        && filter.to.is_none_or(|to| order.placed_at < to)
        && (filter.idempotency_key.is_none() || filter.idempotency_key == order.idempotency_key)
}

pub(super) async fn stock_and_history_are_paged_by_their_keys(subject: &dyn Subject) {
    let mut opened = open(subject, "keys").await;
    let orders = (1..=5).map(|version| changed(order(1, version, "CREATED"))).collect();
    let stock = vec![reserved("C", 1), product("B", "Bread", 2), reserved("A", 3)];
    apply(&mut *opened.sink, &batch((0, orders), (0, stock))).await;
    let reader = &*opened.reader;
    assert_eq!(skus(reader, Catalogue::All, Start::After(sku("A"))).await, ["B", "C"]);
    assert_eq!(skus(reader, Catalogue::Products, Start::First).await, ["B"]);
    assert_eq!(reader.count_stocks(Catalogue::All).await.expect("SKUs can be counted"), exactly(3));
    assert_eq!(reader.count_stocks(Catalogue::Products).await.expect("products can be counted"), exactly(1));
    let one = |item: Option<StockItem>| item.map(|item| item.sku);
    assert_eq!(one(reader.stock(&sku("B")).await.expect("a SKU can be read")), Some(sku("B")));
    assert_eq!(one(reader.stock(&sku("Z")).await.expect("a SKU can be read")), None);
    let mut several = reader.stock_of(&[sku("C"), sku("Z"), sku("A")]).await.expect("SKUs can be read");
    several.sort_by(|a, b| a.sku.cmp(&b.sku));
    assert_eq!(several.iter().map(|item| item.sku.as_str()).collect::<Vec<_>>(), ["A", "C"]);
    assert_eq!(reader.stock_of(&[]).await.expect("no SKUs can be read"), []);
    let history = reader.history(id(1), &Slice { start: Start::After(2), limit: 2 }).await;
    let history = history.expect("the history can be read");
    assert_eq!(history.iter().map(|entry| entry.version).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(reader.count_history(id(1)).await.expect("the history can be counted"), exactly(5));
}

pub(super) async fn skus_come_in_the_order_of_their_bytes(subject: &dyn Subject) {
    let mut opened = open(subject, "bytes").await;
    let stock = ["a", "B", "ä", "_", "a-1", "A", "Z"].map(|sku| reserved(sku, 1)).to_vec();
    apply(&mut *opened.sink, &batch((0, vec![]), (0, stock))).await;
    let all = skus(&*opened.reader, Catalogue::All, Start::First).await;
    assert_eq!(all, ["A", "B", "Z", "_", "a", "a-1", "ä"]);
    assert_eq!(skus(&*opened.reader, Catalogue::All, Start::After(sku("a"))).await, ["a-1", "ä"]);
}

fn sku(name: &str) -> Sku {
    name.parse().expect("a SKU")
}

async fn skus(reader: &dyn DatabaseReader, which: Catalogue, start: Start<Sku>) -> Vec<String> {
    let items = reader.stocks(which, &Slice { start, limit: 10 }).await.expect("SKUs can be listed");
    items.iter().map(|item| item.sku.to_string()).collect()
}
