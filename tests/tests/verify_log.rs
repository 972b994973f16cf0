//! `orderflow verify` names each way in which a log can be valid as files and wrong in its content.

use std::cell::Cell;

use orderflow_schemas::Topic;
use orderflow_tests::{Stage, Stored, batch_line, change, order, path_of, rewrite, supply};

/// The directory of a stopped server with 61 orders, one of them canceled, the last one placed alone.
fn shop() -> (Stage, String) {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000);
    let path = path_of(&server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201));
    change(&server.customer("ann"), &path, "CANCELED").is(200);
    let lines: String = (0..59).map(|n| batch_line(&format!("k{n}"), &format!("c{n}"), "tea")).collect();
    let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
    server.admin().after(&answer).wait_decided();
    let last = server.customer("zoe").post("/orders", &order(&[("tea", 1)])).is(201);
    server.admin().after(&last).get("/orders").is(200);
    server.admin().wait_decided();
    server.stop();
    stage.verify_clean();
    let id = path_of(&last).strip_prefix("/orders/").unwrap().to_owned();
    (stage, id)
}

/// Verifies a copy of the log in which `edit` replaced the first record that `finds` accepts.
#[track_caller]
fn edited_once(
    shop: &Stage,
    finds: impl Fn(&Stored<'_>) -> bool,
    edit: impl Fn(&str) -> Vec<String>,
    words: &[&str],
) {
    let (stage, done) = (shop.copy(), Cell::new(false));
    rewrite(&stage, |record| {
        if done.get() || !finds(record) {
            return record.same();
        }
        done.set(true);
        edit(record.text)
    });
    assert!(done.get(), "there is no such record");
    stage.verify().fails_naming(words);
}

/// An edit that replaces a text in a record.
fn with(from: &'static str, to: &'static str) -> impl Fn(&str) -> Vec<String> {
    move |text| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "nothing to replace");
        vec![changed]
    }
}

#[test]
fn a_log_written_anew_without_changes_is_clean() {
    let (shop, _) = shop();
    rewrite(&shop, |record| record.same());
    shop.verify_clean();
}

#[test]
fn a_changed_event_is_named() {
    let (shop, _) = shop();
    let reserved = |record: &Stored<'_>| record.is(Topic::OrdersEvents, &["\"type\":\"order.reserved\""]);
    edited_once(
        &shop,
        reserved,
        with("\"version\":2", "\"version\":3"),
        &["goes from version 1 to 3", "deciding again gives", "orders.events/"],
    );
    edited_once(
        &shop,
        reserved,
        with("\"from\":\"CREATED\"", "\"from\":\"SHIPPED\""),
        &["goes from version 1 to 2"],
    );
    edited_once(&shop, reserved, |_| vec!["no JSON".into()], &["unreadable event", "orders.events/"]);
    let stock = |record: &Stored<'_>| record.is(Topic::StockEvents, &["\"type\":\"stock.reserved\""]);
    edited_once(
        &shop,
        stock,
        with("\"available\":", "\"available\":1"),
        &["SKU tea has levels", "what moved gives", "stock.events/"],
    );
    edited_once(&shop, stock, |_| vec!["no JSON".into()], &["unreadable event", "stock.events/"]);
}

#[test]
fn events_that_are_missing_or_too_many_are_named() {
    let (shop, _) = shop();
    let middle =
        |record: &Stored<'_>| record.topic_partition.topic == Topic::OrdersEvents && record.offset == 3;
    edited_once(&shop, middle, |_| Vec::new(), &["orders.events/", "events jump to number 5, expected 4"]);
    let last = |record: &Stored<'_>| record.topic_partition.topic == Topic::OrdersEvents && record.last;
    let number = |text: &str| {
        let (_, rest) = text.split_once("\"number\":").unwrap();
        rest.split(',').next().unwrap().parse::<u64>().unwrap()
    };
    let one_more = move |text: &str| {
        let (this, next) = (number(text), number(text) + 1);
        vec![text.to_owned(), text.replacen(&format!("\"number\":{this}"), &format!("\"number\":{next}"), 1)]
    };
    edited_once(&shop, last, one_more, &["orders.events/", "an event that no command leads to"]);
}

#[test]
fn a_repeat_is_fine_with_the_same_bytes_and_named_with_others() {
    let (shop, _) = shop();
    for topic in [Topic::OrdersEvents, Topic::OrdersCommands, Topic::StockCommands] {
        let last = |record: &Stored<'_>| record.topic_partition.topic == topic && record.last;
        let stage = shop.copy();
        rewrite(&stage, |record| if last(record) { vec![record.text.into(); 2] } else { record.same() });
        stage.verify_clean();
        let other = |text: &str| vec![text.to_owned(), text.replacen("\"time\":\"2", "\"time\":\"3", 1)];
        edited_once(&shop, last, other, &[topic.as_str(), "comes again with other bytes"]);
    }
}

#[test]
fn a_command_that_was_changed_or_is_missing_is_named() {
    let (shop, _) = shop();
    let place = |record: &Stored<'_>| record.is(Topic::OrdersCommands, &["\"type\":\"order.place\""]);
    edited_once(
        &shop,
        place,
        with("\"quantity\":1", "\"quantity\":2"),
        &["deciding again gives", "orders.events/"],
    );
    edited_once(&shop, place, |_| Vec::new(), &["orders.commands/", "jumps to number 2, expected 1"]);
}

#[test]
fn a_message_between_processors_that_is_missing_or_changed_is_named() {
    let (shop, _) = shop();
    let message = |record: &Stored<'_>| record.is(Topic::StockCommands, &["\"type\":\"stock.reserve\""]);
    let last = |record: &Stored<'_>| message(record) && record.last;
    edited_once(&shop, message, |_| Vec::new(), &["stock.commands/", "jumps to number"]);
    edited_once(
        &shop,
        last,
        |_| Vec::new(),
        &["messages from orders.commands/", "that follow from its commands"],
    );
    edited_once(
        &shop,
        message,
        with("\"quantity\":1", "\"quantity\":2"),
        &["messages from orders.commands/", "deciding again gives"],
    );
}

#[test]
fn an_order_that_waits_for_stock_though_all_is_decided_is_named() {
    let (shop, id) = shop();
    rewrite(&shop, |record| {
        let placing = ["\"type\":\"order.place\"", "\"type\":\"order.created\""];
        let of_it = record.text.contains(&id);
        let kept = !of_it || placing.iter().any(|kind| record.text.contains(kind));
        if kept { record.same() } else { Vec::new() }
    });
    let waits = format!("order {id}: it waits for stock though every command is decided");
    // The records that follow were removed from the log, so the database has them and the log does not.
    shop.verify().fails_naming(&[&waits, "the database is ahead of the log"]);
}

/// A shop with a command that cannot be read, and therefore a dead letter.
fn shop_with_a_letter() -> Stage {
    let (shop, _) = shop();
    rewrite(&shop, |record| {
        let mut records = record.same();
        if record.last
            && record.topic_partition.topic == Topic::OrdersCommands
            && record.topic_partition.partition.0 == 0
        {
            records.push(
                r#"{"v":1,"type":"order.conjure","source":"ingest-x","number":1,"time":"2026-01-01T00:00:00Z","data":{}}"#
                    .into(),
            );
        }
        records
    });
    let server = shop.serve();
    server.admin().wait_decided();
    server.stop();
    let verified = shop.verify_clean();
    assert!(verified.contains("1 commands could not be read"), "{verified}");
    assert!(verified.contains("1 dead letters"), "{verified}");
    shop
}

#[test]
fn a_dead_letter_that_is_missing_or_changed_is_named() {
    let shop = shop_with_a_letter();
    let letter = |record: &Stored<'_>| record.topic_partition.topic == Topic::DeadLetters;
    edited_once(
        &shop,
        letter,
        |_| Vec::new(),
        &["dead.letters/0 has 0 letters about orders.commands/0, of 1 commands"],
    );
    edited_once(&shop, letter, with("order.conjure\\\"", "order.conjurf\\\""), &["has not the bytes there"]);
    edited_once(&shop, letter, |_| vec!["{}".into()], &["dead.letters/0 offset 0: unreadable letter"]);
}
