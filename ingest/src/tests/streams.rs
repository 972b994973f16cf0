//! Tests of streams of lines.

use std::io;

use axum::body::Body;
use futures_util::stream;
use orderflow_schemas::Topic;
use serde_json::json;

use super::stage::{Answer, Stage};
use crate::IngestSettings;

fn line(n: usize) -> String {
    format!(
        r#"{{"customer_id":"c-{n}","idempotency_key":"k-{n}","currency":"EUR","lines":[{{"sku":"a","quantity":1}}]}}"#
    )
}

async fn post(stage: &Stage, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let headers: Vec<_> = headers.iter().copied().chain([("content-type", "application/x-ndjson")]).collect();
    stage.call("POST /orders/batch", &headers, body).await
}

#[tokio::test]
async fn a_bad_line_is_reported_and_harms_no_other() {
    let stage = Stage::undecided(IngestSettings {
        stream_lines_max: 3,
        stream_appends_max: 1,
        ..IngestSettings::default()
    });
    let mut lines: Vec<_> = (1..=20).map(line).collect();
    lines[6] = r#"{"customer_id":"c","#.into();
    lines[7] =
        r#"{"customer_id":"c","idempotency_key":"k","currency":"EUR","lines":[{"sku":"a","quantity":0}]}"#
            .into();
    lines[8] = r#"{"customer_id":"c","currency":"EUR","lines":[{"sku":"a","quantity":1}]}"#.into();
    // The last line has no line ending. When the body ends cleanly, it counts as a line.
    let answer = post(&stage, &[], lines.join("\n")).await;
    assert_eq!(answer.status.as_u16(), 202, "{answer:?}");
    assert_eq!((&answer.body["accepted"], &answer.body["rejected_total"]), (&json!(17), &json!(3)));
    let refused = |at: usize| {
        (answer.body["rejected"][at]["line"].clone(), answer.body["rejected"][at]["type"].clone())
    };
    assert_eq!(refused(0), (json!(7), json!("malformed-json")));
    assert_eq!(refused(1), (json!(8), json!("invalid-request")));
    assert_eq!(answer.body["rejected"][1]["pointer"], "/lines/0/quantity");
    assert_eq!(refused(2), (json!(9), json!("invalid-request")));
    assert_eq!(stage.count(Topic::OrdersCommands), 17);
    assert!(answer.header("orderflow-position").starts_with("orders.commands:"));
}

#[tokio::test]
async fn what_was_whole_before_a_stream_broke_off_stays() {
    let stage = Stage::undecided(IngestSettings::default());
    let chunks = [Ok(format!("{}\n{}\n{{\"cust", line(1), line(2))), Err(io::Error::other("cut"))];
    let answer = post(&stage, &[], Body::from_stream(stream::iter(chunks))).await;
    assert_eq!((answer.problem(), &answer.body["accepted"]), ((400, "body-incomplete"), &json!(2)));
    assert_eq!(stage.count(Topic::OrdersCommands), 2);
}

#[tokio::test]
async fn refused_lines_are_described_up_to_a_bound_and_long_ones_refused() {
    let settings =
        IngestSettings { stream_refusals_max: 1, line_bytes_max: 300, ..IngestSettings::default() };
    let stage = Stage::undecided(settings);
    let answer = post(&stage, &[], format!("{}\n{}\nx\n", "y".repeat(301), line(1))).await;
    assert_eq!(answer.body["rejected"].as_array().unwrap().len(), 1);
    assert_eq!(answer.body["rejected"][0]["type"], "line-too-long");
    assert_eq!((&answer.body["accepted"], &answer.body["rejected_total"]), (&json!(1), &json!(2)));
    assert_eq!(answer.body["rejected_by_type"], json!({"line-too-long": 1, "malformed-json": 1}));
}

#[tokio::test]
async fn streams_are_for_services_and_in_known_encodings() {
    let stage = Stage::undecided(IngestSettings::default());
    let customer = [("x-orderflow-role", "customer")];
    assert_eq!(post(&stage, &customer, line(1)).await.problem(), (403, "forbidden"));
    let brotli = post(&stage, &[("content-encoding", "br")], line(1)).await;
    assert_eq!(brotli.problem(), (415, "unsupported-encoding"));
    assert_eq!(
        stage.json("POST /orders/batch", &[], line(1)).await.problem(),
        (415, "unsupported-media-type")
    );
    let broken = post(&stage, &[("content-encoding", "gzip")], "no gzip").await;
    assert_eq!(broken.problem(), (400, "body-incomplete"));
}

#[tokio::test]
async fn stock_and_products_come_in_streams_too() {
    let stage = Stage::new(IngestSettings::default());
    let headers = [("content-type", "application/x-ndjson")];
    let receipts = "{\"sku\":\"a\",\"quantity\":1}\n{\"sku\":\"b\",\"quantity\":0}\n";
    let answer = stage.call("POST /inventory/batch", &headers, receipts).await;
    assert_eq!((&answer.body["accepted"], &answer.body["rejected"][0]["line"]), (&json!(1), &json!(2)));
    let products = r#"{"sku":"a","name":"A","unit_price":1,"currency":"EUR"}"#;
    let answer = stage.call("POST /products/batch", &headers, products).await;
    assert_eq!(answer.body["accepted"], 1);
    assert_eq!(stage.count(Topic::StockCommands), 2);
}
