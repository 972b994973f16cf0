//! Checks of what applying batches must lead to.

use std::sync::Arc;

use orderflow_schemas::{
    Actor, Amount, ItemLine, Order, OrderEvent, Role, ShipmentEvent, ShipmentStatus, StockEvent, Timestamp,
    order::{Failure, FailureCode},
    returns::{ReturnTo, ReturnedUnits},
};
use orderflow_sinks::{Sink, SinkError};

use super::{Subject, apply, content, open};
use crate::samples::{batch, changed, order, product, reserved};

pub(super) async fn a_batch_applied_twice_is_as_if_applied_once_and_survives_reopening(
    subject: &dyn Subject,
) {
    let mut opened = open(subject, "twice").await;
    let orders = vec![changed(order(1, 1, "CREATED")), changed(order(1, 2, "RESERVED"))];
    let batch = batch((0, orders), (0, vec![product("A", "Apple", 5), reserved("A", 4)]));
    apply(&mut *opened.sink, &batch).await;
    let once = content(&*opened.audit).await;
    apply(&mut *opened.sink, &batch).await;
    assert_eq!(content(&*opened.audit).await, once);
    drop(opened);
    let mut opened = open(subject, "twice").await;
    assert_eq!(content(&*opened.audit).await, once);
    assert_eq!(opened.sink.checkpoint().await.expect("the checkpoint can be read"), batch.1);
    assert_eq!((once.orders.len(), once.history.len(), once.stock.len()), (1, 2, 1));
}

pub(super) async fn an_older_version_never_overwrites_a_newer_one(subject: &dyn Subject) {
    let mut opened = open(subject, "older").await;
    let newer = batch((1, vec![changed(order(1, 2, "RESERVED"))]), (1, vec![product("A", "Apple", 4)]));
    apply(&mut *opened.sink, &newer).await;
    let older = batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![product("A", "Old", 9)]));
    apply(&mut *opened.sink, &older).await;
    let stored = content(&*opened.audit).await;
    assert_eq!((stored.orders[0].version, stored.orders[0].status.as_str()), (2, "RESERVED"));
    assert_eq!(stored.history.len(), 2, "the history has every version");
    let apple = &stored.stock[0];
    assert_eq!((apple.name.as_deref(), apple.levels.available), (Some("Apple"), 4));
    assert_eq!(stored.checkpoint, newer.1, "the checkpoint does not go back");
}

/// Events that touch the same few orders and SKUs repeatedly.
fn story() -> (Vec<OrderEvent>, Vec<StockEvent>) {
    let orders = (0..40).map(|n| changed(order(n % 7, u64::from(n / 7) + 1, "CREATED")));
    let stock = (0..40u64).map(|n| match n % 5 {
        0 => product(&format!("S{}", n % 3), &format!("name {n}"), 100 - n),
        _ => reserved(&format!("S{}", n % 3), 100 - n),
    });
    (orders.collect(), stock.collect())
}

/// Applies the story, starting at index `from`, in batches of `size`.
async fn tell(sink: &mut dyn Sink, from: usize, size: usize) {
    let (orders, stock) = story();
    for start in (from..orders.len()).step_by(size) {
        let end = (start + size).min(orders.len());
        let (orders, stock) = (orders[start..end].to_vec(), stock[start..end].to_vec());
        apply(sink, &batch((start as u64, orders), (start as u64, stock))).await;
    }
}

pub(super) async fn batches_cut_elsewhere_come_to_the_same(subject: &dyn Subject) {
    let mut whole = open(subject, "whole").await;
    tell(&mut *whole.sink, 0, 40).await;
    let mut parts = open(subject, "parts").await;
    for (from, size) in [(0, 1), (0, 7), (13, 5), (0, 40)] {
        tell(&mut *parts.sink, from, size).await;
    }
    let whole = content(&*whole.audit).await;
    assert_eq!((whole.orders.len(), whole.history.len(), whole.stock.len()), (7, 40, 3));
    assert_eq!(content(&*parts.audit).await, whole);
}

pub(super) async fn two_sinks_at_the_same_time_do_no_harm(subject: &dyn Subject) {
    let mut alone = open(subject, "alone").await;
    tell(&mut *alone.sink, 0, 40).await;
    let (mut first, mut second) = (open(subject, "shared").await, open(subject, "shared").await);
    tokio::join!(tell(&mut *first.sink, 0, 3), tell(&mut *second.sink, 0, 4));
    assert_eq!(content(&*first.audit).await, content(&*alone.audit).await);
}

pub(super) async fn every_text_is_read_as_it_was_written(subject: &dyn Subject) {
    let mut opened = open(subject, "texts").await;
    let long = "größe".repeat(200);
    let texts =
        ["", " ", "\0", "a\0b\0", "\u{1a}", "\u{1a}0\u{1a}1", "\\0\\u0000", "'\"%_{}", "🚚\u{301}\n", &long];
    let orders: Vec<_> = (0..).zip(texts).map(|(n, text)| order_with(n, text)).collect();
    let events = orders.iter().cloned().map(changed_by).collect();
    apply(&mut *opened.sink, &batch((0, events), (0, vec![product("A", "nul \0 in a name", 1)]))).await;
    for order in &orders {
        let read = opened.reader.order(order.id).await.expect("an order can be read");
        assert_eq!(read.as_ref(), Some(order));
    }
    let stored = content(&*opened.audit).await;
    assert_eq!(stored.orders, orders);
    assert_eq!(stored.stock[0].name.as_deref(), Some("nul \0 in a name"));
    for (entry, text) in stored.history.iter().zip(texts) {
        assert_eq!((entry.reason.as_deref(), entry.by.subject.as_str()), (Some(text), text));
    }
    for (order, text) in orders.iter().zip(texts) {
        let read = opened.reader.shipments(order.id, 10).await.expect("a shipment can be read");
        let [entry] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((entry.by.subject.as_str(), entry.event.location.as_deref()), (text, Some(text)));
        assert!(stored.shipments.contains(entry), "{entry:?}");
    }
}

fn order_with(n: u32, text: &str) -> Order {
    let failure = Failure {
        sku: "Größe\"'42\\".parse().expect("a SKU"),
        problem: FailureCode::PriceChanged,
        requested: n,
        available: u64::MAX,
        unit_price: None,
        currency: Some("EUR".parse().expect("a currency")),
    };
    let returned = ReturnedUnits { line: n, quantity: u32::MAX, to: ReturnTo::WrittenOff };
    Order {
        total: (n > 0).then_some(Amount::TOTAL_MAX),
        channel: Some(text.into()),
        notes: Some(text.into()),
        fail_reason: Some(text.into()),
        failures: Arc::from(vec![failure; n as usize % 3]),
        idempotency_key: (n > 1).then(|| format!("ß'{n}").parse().expect("a key")),
        placed_at: Timestamp::MAX,
        currency: (n != 2).then(|| "EUR".parse().expect("a currency")),
        lines: match n {
            2 => vec![ItemLine { item: text.into(), quantity: 3 }].into(),
            _ => order(n, 1, "ÄNDERUNG").lines,
        },
        reserve_for: (n > 2).then_some(u32::MAX),
        courier_id: (n > 1).then(|| text.into()),
        acted_by: (n > 2).then(|| text.into()),
        acted_at: (n > 2).then_some(Timestamp::MAX),
        returned: Arc::from(vec![returned; n as usize % 2]),
        ..order(n, 1, "ÄNDERUNG")
    }
}

/// The event of an order whose notes are also the reason and the subject of the actor.
fn changed_by(order: Order) -> OrderEvent {
    let text = order.notes.clone();
    let OrderEvent::Changed(change, mut event) = changed(order) else { unreachable!("it is a change") };
    event.by = Actor { role: Role::Service, subject: text.clone().unwrap_or_default() };
    event.shipment = text.clone().map(|text| {
        Box::new(ShipmentEvent {
            status: ShipmentStatus::FailedAttempt,
            carrier: Some(text.clone()),
            tracking_number: Some(text.clone()),
            location: Some(text.clone()),
            occurred_at: Some(Timestamp::MAX),
            event_id: Some(text),
        })
    });
    event.reason = text;
    OrderEvent::Changed(change, event)
}

pub(super) async fn a_number_that_no_column_holds_is_a_dead_letter(subject: &dyn Subject) {
    let mut opened = open(subject, "numbers").await;
    let (batch, checkpoint) = batch((0, vec![]), (5, vec![reserved("A", 1), reserved("B", u64::MAX)]));
    let error = opened.sink.apply(&batch, &checkpoint).await.expect_err("it is too large");
    assert!(
        matches!(error, SinkError::DeadLetter { offset, .. } if offset == batch.records[1].offset),
        "{error}"
    );
    assert_eq!(content(&*opened.audit).await, Default::default());
}
