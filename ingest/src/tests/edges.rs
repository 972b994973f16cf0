//! Requests at the edge of what HTTP and JSON allow. Nothing is lost, doubled or changed into a similar value.

use std::io::Write;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use orderflow_schemas::{OrderCommand, Payload, RawRecord, StockCommand, Topic, TopicPartition};
use proptest::prelude::*;
use serde_json::json;

use super::stage::{Answer, Stage};
use crate::IngestSettings;

const ONE: &str = r#"{"customer_id":"c-1","currency":"EUR","lines":[{"sku":"a","quantity":1}]}"#;
const JSON: (&str, &[u8]) = ("content-type", b"application/json");
const LINES: (&str, &[u8]) = ("content-type", b"application/x-ndjson");

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

fn lines(from: usize, to: usize) -> String {
    let line = |n| {
        format!(
            r#"{{"customer_id":"c-{n}","idempotency_key":"k-{n}","currency":"EUR","lines":[{{"sku":"a","quantity":1}}]}}"#
        )
    };
    (from..to).map(line).map(|line| line + "\n").collect()
}

/// The idempotency keys of the commands of a topic, partition by partition in the order of the log.
fn keys(stage: &Stage, topic: Topic) -> Vec<Option<String>> {
    let records = (0..3).flat_map(|number| stage.topics.records(TopicPartition::new(topic, number)));
    let key = |record: Bytes| {
        let raw = RawRecord::decode(&record).unwrap();
        let key = match topic {
            Topic::OrdersCommands => match OrderCommand::decode(&raw.kind, raw.data).unwrap() {
                OrderCommand::Place(command) => command.idempotency.map(|idempotency| idempotency.key),
                other => panic!("{other:?}"),
            },
            _ => match StockCommand::decode(&raw.kind, raw.data).unwrap() {
                StockCommand::Receive(command) => command.idempotency.map(|idempotency| idempotency.key),
                StockCommand::SetProduct(command) => command.idempotency.map(|idempotency| idempotency.key),
                other => panic!("{other:?}"),
            },
        };
        key.map(|key| key.to_string())
    };
    records.map(key).collect()
}

/// Posts three lines and then three more in a second member, followed by `behind`. Cuts off the last `cut` bytes.
async fn post_in_two(
    encode: fn(&str) -> Vec<u8>,
    coding: &str,
    behind: &[u8],
    cut: usize,
) -> (Answer, usize) {
    let stage = Stage::undecided(IngestSettings::default());
    let body = [&encode(&lines(0, 3))[..], &encode(&lines(3, 6)), behind].concat();
    let headers = [LINES, ("content-encoding", coding.as_bytes())];
    let answer = stage.raw("POST /orders/batch", &headers, body[..body.len() - cut].to_vec()).await;
    (answer, stage.count(Topic::OrdersCommands))
}

#[tokio::test]
async fn bodies_of_several_members_are_taken_to_their_end_or_the_answer_says_how_far() {
    for (encode, codings) in
        [(gzip as fn(&str) -> Vec<u8>, ["gzip", "X-GZip"]), (zstd, ["zstd", "ZSTD, identity"])]
    {
        for coding in codings {
            let (answer, taken) = post_in_two(encode, coding, b"", 0).await;
            assert_eq!((answer.status.as_u16(), &answer.body["accepted"], taken), (202, &json!(6), 6));
            for (behind, cut) in
                [(b"garbage".as_slice(), 0), (b"\0\0\0\0", 0), (b"", 1), (b"", 9), (b"\x1f\x8b\x08", 0)]
            {
                let (answer, taken) = post_in_two(encode, coding, behind, cut).await;
                assert_eq!(answer.problem(), (400, "body-incomplete"), "{coding} {behind:?} {cut}");
                assert_eq!(answer.body["accepted"], json!(taken), "{coding} {behind:?} {cut}");
                assert!(taken >= 3, "{coding} {behind:?} {cut}: {taken}");
            }
        }
    }
}

#[tokio::test]
async fn every_call_with_a_body_takes_it_compressed_and_bounds_what_it_decompresses_to() {
    let stage = Stage::new(IngestSettings::default());
    let long = format!(r#"{{"quantity":1,"x":"{}"}}"#, "x".repeat(1_000));
    for (coding, encode) in [("GZIP", gzip as fn(&str) -> Vec<u8>), ("zstd", zstd)] {
        let headers = [JSON, ("content-encoding", coding.as_bytes())];
        let received = stage.raw("POST /inventory/a/receipts", &headers, encode(r#"{"quantity":1}"#)).await;
        assert_eq!(received.status.as_u16(), 200, "{received:?}");
        let bomb = stage.raw("POST /inventory/a/receipts", &headers, encode(&long)).await;
        assert_eq!(bomb.problem(), (413, "body-too-large"));
        let mut cut = encode(r#"{"quantity":1}"#);
        cut.pop();
        let cut = stage.raw("POST /inventory/a/receipts", &headers, cut).await;
        assert_eq!(cut.problem(), (400, "body-incomplete"));
        let cancel = "POST /orders/0190aaaa-0000-7000-8000-000000000001/cancel";
        let canceled = stage.raw(cancel, &headers, encode(r#"{"reason":"late"}"#)).await;
        assert_eq!(canceled.problem(), (404, "order-not-found"));
    }
    for coding in ["br", "gzip, gzip", "deflate"] {
        let headers = [JSON, ("content-encoding", coding.as_bytes())];
        let answer = stage.raw("POST /inventory/a/receipts", &headers, "{}").await;
        assert_eq!(
            (answer.problem(), answer.header("accept-encoding")),
            ((415, "unsupported-encoding"), "zstd, gzip")
        );
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_and_text_is_taken_as_it_is() {
    let stage = Stage::new(IngestSettings::default());
    for (name, path) in [
        ("idempotency-key", "POST /orders"),
        ("idempotency-key", "POST /inventory/batch"),
        ("x-orderflow-subject", "POST /orders"),
        ("x-orderflow-role", "POST /orders"),
        ("prefer", "POST /orders"),
        ("content-encoding", "POST /orders"),
        ("content-type", "POST /orders"),
        ("host", "POST /orders"),
    ] {
        let headers: Vec<_> = [JSON, (name, b"caf\xe9".as_slice())]
            .into_iter()
            .filter(|(other, value)| *other != name || value.starts_with(b"caf"))
            .collect();
        let answer = stage.raw(path, &headers, ONE).await;
        assert_eq!(answer.status.as_u16(), 400, "{name} {path}: {answer:?}");
        assert!(answer.body["detail"].as_str().unwrap().to_lowercase().contains(name), "{answer:?}");
    }
    let keyed = |key: &'static [u8]| [JSON, ("idempotency-key", key)];
    let first = stage.raw("POST /orders", &keyed("café".as_bytes()), ONE).await;
    let other = stage.raw("POST /orders", &keyed("cafè".as_bytes()), ONE).await;
    let again = stage.raw("POST /orders", &keyed("café".as_bytes()), ONE).await;
    assert_eq!((first.status.as_u16(), other.status.as_u16()), (201, 201));
    assert_ne!(first.body["id"], other.body["id"]);
    assert_eq!(first.body["id"], again.body["id"]);
    let path = stage.json("PUT /products/caf%E9", &[], "{}").await;
    assert_eq!(path.problem(), (400, "invalid-path"));
    assert!(path.body["detail"].as_str().unwrap().contains("`sku`"), "{path:?}");
}

#[tokio::test]
async fn headers_that_say_two_things_are_refused() {
    let stage = Stage::new(IngestSettings::default());
    for (name, first, second) in [
        ("idempotency-key", "a", "b"),
        ("x-orderflow-role", "admin", "customer"),
        ("x-orderflow-subject", "a", "b"),
        ("content-encoding", "gzip", "zstd"),
        ("host", "localhost", "127.0.0.1"),
        ("origin", "http://localhost", "http://127.0.0.1"),
    ] {
        let headers = [JSON, (name, first.as_bytes()), (name, second.as_bytes())];
        let answer = stage.raw("POST /orders", &headers, ONE).await;
        assert_eq!(answer.problem(), (400, "invalid-header"), "{name}");
    }
    let same = [JSON, ("idempotency-key", b"a".as_slice()), ("idempotency-key", b"a")];
    assert_eq!(stage.raw("POST /orders", &same, ONE).await.status.as_u16(), 201);
}

#[tokio::test]
async fn a_key_on_a_stream_makes_its_repeat_harmless() {
    let stage = Stage::undecided(IngestSettings::default());
    let keyed = [LINES, ("idempotency-key", b"load-1".as_slice())];
    let receipts = "{\"sku\":\"a\",\"quantity\":5}\n\n{\"sku\":\"a\",\"quantity\":5}\n{\"sku\":\"a\",\"quantity\":5,\"idempotency_key\":\"own\"}\n";
    for _ in 0..2 {
        let answer = stage.raw("POST /inventory/batch", &keyed, receipts).await;
        assert_eq!((answer.status.as_u16(), &answer.body["accepted"]), (202, &json!(3)));
    }
    let first = keys(&stage, Topic::StockCommands);
    assert_eq!(first[..3], first[3..]);
    assert!(first[0].is_some() && first[0] != first[1] && first[2].as_deref() == Some("own"), "{first:?}");
    let other = [LINES, ("idempotency-key", b"load-2".as_slice())];
    stage.raw("POST /inventory/batch", &other, receipts).await;
    let others = keys(&stage, Topic::StockCommands);
    assert!(!first.contains(&others[6]) && others[8] == first[2], "{others:?}");
    let product = r#"{"sku":"a","name":"A","unit_price":1,"currency":"EUR"}"#;
    stage.raw("POST /products/batch", &keyed, format!("{product}\n{product}\n")).await;
    let products = keys(&stage, Topic::StockCommands);
    assert!(products[9] == first[0] && products[10].is_some() && products[10] != products[9], "{products:?}");
    stage.raw("POST /orders/batch", &keyed, format!("{ONE}\n{ONE}\n")).await;
    let orders = keys(&stage, Topic::OrdersCommands);
    assert!(orders.len() == 2 && orders.iter().all(Option::is_some) && orders[0] != orders[1], "{orders:?}");
}

#[tokio::test]
async fn a_header_is_refused_where_it_would_do_nothing() {
    let stage = Stage::new(IngestSettings::default());
    let id = "0190aaaa-0000-7000-8000-000000000001";
    for (call, name) in [
        ("PUT /products/a".to_owned(), "if-none-match"),
        ("POST /products/batch".to_owned(), "if-match"),
        (format!("DELETE /orders/{id}"), "if-none-match"),
        ("POST /orders".to_owned(), "if-match"),
        ("POST /orders/batch".to_owned(), "if-match"),
        ("POST /inventory/a/adjustments".to_owned(), "if-none-match"),
    ] {
        let answer = stage.json(&call, &[(name, "\"2\"")], ONE).await;
        assert_eq!(answer.problem(), (400, "invalid-header"), "{call} {name}");
        assert!(answer.body["detail"].as_str().unwrap().to_lowercase().contains(name), "{answer:?}");
    }
}

#[tokio::test]
async fn only_objects_are_taken_for_requests() {
    let stage = Stage::new(IngestSettings::default());
    for (call, body) in [
        ("POST /orders", r#"["EUR",[["A",1,null]],"c-1",null,null,null,null]"#),
        ("POST /orders", r#"{"customer_id":"c-1","currency":"EUR","lines":[["A",1,null]]}"#),
        ("POST /inventory/a/receipts", "[1]"),
        ("POST /inventory/a/adjustments", r#"[1,"x"]"#),
        ("PUT /products/a", r#"["A",1,"EUR"]"#),
        ("PATCH /orders/0190aaaa-0000-7000-8000-000000000001/status", r#"["ACCEPTED",null]"#),
        ("POST /orders/0190aaaa-0000-7000-8000-000000000001/cancel", r#"["late"]"#),
        ("POST /inventory/a/receipts", r#"{"quantity":1,"quantity":2}"#),
        ("POST /inventory/a/receipts", r#"{"quantity":1,"quantit\u0079":1}"#),
    ] {
        let answer = stage.json(call, &[], body).await;
        assert_eq!(answer.problem(), (400, "invalid-request"), "{call} {body}");
        assert!(answer.body["errors"][0]["pointer"].is_string(), "{answer:?}");
    }
    for (call, line) in [
        ("POST /orders/batch", r#"["EUR",[["A",1,null]],"c-1","k",null,null,null]"#),
        ("POST /inventory/batch", r#"["a",1,null]"#),
        ("POST /products/batch", r#"["a","A",1,"EUR"]"#),
    ] {
        let answer = stage.raw(call, &[LINES], line).await;
        assert_eq!(
            (&answer.body["accepted"], &answer.body["rejected"][0]["type"]),
            (&json!(0), &json!("invalid-request"))
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// For any bytes in the header, an order is either placed under exactly these bytes or refused.
    #[test]
    fn keys_are_taken_as_they_are_or_refused(key in prop::collection::vec(any::<u8>(), 1..12)) {
        prop_assume!(http::HeaderValue::from_bytes(&key).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::new(IngestSettings::default());
            let answer = stage.raw("POST /orders", &[JSON, ("idempotency-key", key.as_slice())], ONE).await;
            let keys = keys(&stage, Topic::OrdersCommands);
            match answer.status.as_u16() {
                201 => assert_eq!(keys[0].as_deref().map(str::as_bytes), Some(key.trim_ascii())),
                status => assert_eq!((status, keys.len()), (400, 0)),
            }
        });
    }
}
