//! Tests of the rows that events lead to.

use super::*;
use crate::samples::{STOCK, batch, changed, id, levels, order, product, reserved};

#[test]
fn only_the_last_version_of_an_order_is_a_row_and_the_history_has_all() {
    let events = vec![
        changed(order(2, 1, "CREATED")),
        changed(order(1, 1, "CREATED")),
        changed(order(2, 2, "RESERVED")),
        OrderEvent::Ticked(Default::default()),
    ];
    let rows = Rows::of(&batch((0, events), (0, vec![])).0).unwrap();
    let orders: Vec<_> = rows.orders.iter().map(|order| (order.id, order.version)).collect();
    assert_eq!(orders, [(id(1), 1), (id(2), 2)], "sorted by id");
    let history: Vec<_> = rows.history.iter().map(|entry| (entry.order_id, entry.version)).collect();
    assert_eq!(history, [(id(1), 1), (id(2), 1), (id(2), 2)]);
    assert_eq!(rows.history[2].from.as_ref().unwrap().as_str(), "CREATED");
    assert_eq!(rows.history[2].cause, Offset(30));
}

#[test]
fn a_sku_keeps_its_name_when_only_its_levels_move() {
    let events = vec![product("A", "Apple", 9), reserved("A", 8), reserved("B", 3)];
    let rows = Rows::of(&batch((0, vec![]), (10, events)).0).unwrap();
    let [apple, other] = rows.stock.as_slice() else { panic!("two rows: {:?}", rows.stock) };
    assert_eq!((apple.name.as_deref(), apple.version, apple.levels), (Some("Apple"), Offset(11), levels(8)));
    assert_eq!((other.name.as_deref(), other.version), (None, Offset(12)));
}

#[test]
fn a_number_that_no_column_holds_is_a_dead_letter() {
    let (batch, _) = batch((0, vec![]), (5, vec![reserved("A", 1), reserved("B", u64::MAX)]));
    let error = Rows::of(&batch).unwrap_err();
    let SinkError::DeadLetter { topic_partition, offset, .. } = error else { panic!("{error}") };
    assert_eq!((topic_partition, offset), (STOCK, Offset(6)));
}

#[test]
fn history_as_json_says_what_happened_in_the_words_of_the_events() {
    let rows = Rows::of(&batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![])).0).unwrap();
    let json = serde_json::to_value(&rows.history[0]).unwrap();
    assert_eq!(json["type"], "order.created");
    assert_eq!(json["from"], serde_json::Value::Null);
    assert_eq!(json["by"]["role"], "system");
}
