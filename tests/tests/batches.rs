//! Streams of lines: compressed or plain, with bad lines in them, and cut off.

use std::{collections::BTreeSet, io::Write};

use flate2::{Compression, write::GzEncoder};
use orderflow_tests::{Client, Server, Stage, batch_line, find, records, wait_levels, wait_until};
use serde_json::json;

fn shop() -> (Stage, Server, Client) {
    let stage = Stage::new();
    let server = stage.serve();
    let till = server.client("service", "till");
    till.post("/inventory/tea/receipts", &json!({ "quantity": 10_000 })).is(200);
    (stage, server, till)
}

fn lines(name: &str, count: usize) -> String {
    (0..count).map(|n| batch_line(&format!("{name}-{n}"), &format!("customer-{}", n % 17), "tea")).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// The number of orders once everything is decided; each of them must be reserved.
#[track_caller]
fn reserved(admin: &Client) -> u64 {
    admin.wait_decided();
    let all = admin.get("/orders?page=1&limit=1").is(200).json()["total"].clone();
    let reserved = admin.get("/orders?page=1&limit=1&status=RESERVED").is(200).json();
    assert_eq!(reserved["total"], all);
    all.as_u64().unwrap()
}

#[test]
fn orders_are_taken_plain_and_packed() {
    let (stage, server, till) = shop();
    let plain = till.post_lines("/orders/batch", lines("plain", 300).as_bytes()).is(202);
    assert_eq!((&plain.json()["accepted"], &plain.json()["rejected"]), (&300.into(), &json!([])));
    let packed = till
        .with("content-encoding", "zstd")
        .post_lines("/orders/batch", &zstd(lines("zstd", 300).as_bytes()));
    assert_eq!(packed.is(202).json()["accepted"], 300);
    let packed = till
        .with("content-encoding", "gzip")
        .post_lines("/orders/batch", &gzip(lines("gzip", 300).as_bytes()));
    assert_eq!(packed.clone().is(202).json()["accepted"], 300);
    for (key, answer) in
        [("plain-0", &plain), ("plain-299", &plain), ("gzip-0", &packed), ("gzip-299", &packed)]
    {
        let order =
            find(&server.admin().after(answer), key).unwrap_or_else(|| panic!("there is no order {key}"));
        assert_eq!(order["lines"], json!([{ "sku": "tea", "quantity": 1, "unit_price": 100 }]));
    }
    assert_eq!(reserved(&server.admin()), 900);
    // Sending all lines again changes nothing.
    let again = till.post_lines("/orders/batch", lines("zstd", 300).as_bytes()).is(202);
    assert_eq!(again.json()["accepted"], 300);
    assert_eq!(reserved(&server.admin().after(&again)), 900);
    wait_levels(&till, "tea", [10_000, 9_100, 900, 0, 0]);
    server.stop();
    stage.verify_clean();
}

#[test]
fn stock_and_products_are_taken_as_lines_too() {
    let (stage, server, till) = shop();
    let receipts: String =
        (0..100).map(|n| json!({ "sku": format!("s{n}"), "quantity": n + 1 }).to_string() + "\n").collect();
    let keyed = json!({ "sku": "s0", "quantity": 50, "idempotency_key": "k" }).to_string();
    let receipts = format!("{receipts}{keyed}\n{keyed}\n");
    let received =
        till.with("content-encoding", "gzip").post_lines("/inventory/batch", &gzip(receipts.as_bytes()));
    assert_eq!(received.clone().is(202).json()["accepted"], 102);
    let product =
        |n| json!({ "sku": format!("s{n}"), "name": "It", "unit_price": n, "currency": "EUR" }).to_string();
    let products: Vec<_> = (0..100).map(product).collect();
    let named = till.post_lines("/products/batch", products.join("\r\n").as_bytes()).is(202);
    assert_eq!(named.json()["accepted"], 100);
    let reader = till.after(&named);
    assert_eq!(reader.list("/products", 30).len(), 100);
    wait_levels(&reader, "s0", [51, 51, 0, 0, 0]);
    wait_levels(&reader, "s99", [100, 100, 0, 0, 0]);
    assert_eq!(reader.get("/products/s42").is(200).json()["unit_price"], 42);
    server.stop();
    stage.verify_clean();
}

#[test]
fn a_broken_line_is_named_and_harms_no_other() {
    let (stage, server, till) = shop();
    let mut batch: Vec<_> = lines("good", 12).lines().map(str::to_owned).collect();
    batch[6] = batch[6].replace("\"quantity\":1", "\"quantity\":0");
    let taken = till.post_lines("/orders/batch", batch.join("\n").as_bytes()).is(202);
    let answer = taken.json();
    assert_eq!(
        (&answer["accepted"], answer["rejected"].as_array().unwrap().len()),
        (&11.into(), 1),
        "{answer}"
    );
    let rejected = &answer["rejected"][0];
    let named = (&rejected["line"], &rejected["type"], &rejected["pointer"]);
    assert_eq!(named, (&7.into(), &"invalid-request".into(), &"/lines/0/quantity".into()));
    let admin = server.admin().after(&taken);
    assert_eq!(reserved(&admin), 11);
    assert_eq!((find(&admin, "good-6"), find(&admin, "good-7").is_some()), (None, true));

    let long = "x".repeat((256 << 10) + 1);
    let no_customer = batch[0].replace("\"customer_id\":\"customer-0\",", "");
    let no_key = batch[0].replace("\"idempotency_key\":\"good-0\",", "");
    let worse =
        [r#"{"currency""#, "", "tea", &long, &no_customer, &no_key, &batch_line("last", "ann", "tea")]
            .join("\n");
    let taken = till.post_lines("/orders/batch", worse.as_bytes()).is(202);
    let answer = taken.json();
    let named: Vec<_> =
        answer["rejected"].as_array().unwrap().iter().map(|line| (&line["line"], &line["type"])).collect();
    let types = ["malformed-json", "malformed-json", "line-too-long", "invalid-request", "invalid-request"];
    let wanted: Vec<_> = [1, 3, 4, 5, 6].into_iter().zip(types).map(|(n, t)| (json!(n), json!(t))).collect();
    assert_eq!(named, wanted.iter().map(|(n, t)| (n, t)).collect::<Vec<_>>(), "{answer}");
    assert_eq!((&answer["accepted"], reserved(&server.admin().after(&taken))), (&1.into(), 12));
    server.stop();
    stage.verify_clean();
}

/// Sends a batch that ends too early. Returns how many lines the server reports as accepted; exactly these must
/// exist, from the first line on.
#[track_caller]
fn cut_off(client: &Client, admin: &Client, name: &str, body: &[u8], length: usize) -> u64 {
    let answer =
        client.send_cut_off("/orders/batch", body, length).expect("half a connection is still answered");
    let accepted =
        answer.is_problem(400, "body-incomplete")["accepted"].as_u64().expect("it says how much it took");
    // Accepted lines are durable, and durable lines are shown before long.
    wait_until("what was accepted is shown", || {
        let orders = admin.list("/orders?status=RESERVED", 1000);
        let keys = orders.iter().filter_map(|order| order["idempotency_key"].as_str());
        let shown: BTreeSet<_> = keys.filter(|key| key.starts_with(name)).map(str::to_owned).collect();
        let wanted = (0..accepted).map(|n| format!("{name}-{n}")).collect();
        assert!(shown.is_subset(&wanted), "what was not accepted is there");
        (shown == wanted).then_some(accepted)
    })
}

#[test]
fn of_a_batch_that_breaks_off_only_whole_lines_count() {
    let (stage, server, till) = shop();
    let admin = server.admin();
    let batch = lines("plain", 40);
    let end_of_30 = batch.match_indices('\n').nth(29).unwrap().0;
    let half_a_line_more = &batch.as_bytes()[..end_of_30 + 20];
    let accepted = cut_off(&till, &admin, "plain", half_a_line_more, batch.len());
    assert!(accepted <= 30, "{accepted}");
    for (name, pack) in [("zstd", zstd as fn(&[u8]) -> Vec<u8>), ("gzip", gzip)] {
        let packed = pack(lines(name, 4_000).as_bytes());
        let client = till.with("content-encoding", name);
        let accepted = cut_off(&client, &admin, name, &packed[..packed.len() / 2], packed.len());
        assert!(accepted < 4_000, "{accepted}");
    }
    // A client that has closed its connection gets no answer. Complete lines may have been accepted, half a line may
    // not.
    let gone = lines("gone", 40).replace("\n", " \n");
    till.abandon("/orders/batch", gone.trim_end().as_bytes(), gone.len() + 1);
    // The server continues to work.
    let answer = till.post_lines("/orders/batch", batch.as_bytes()).is(202);
    assert_eq!(answer.json()["accepted"], 40);
    assert!(find(&admin.after(&answer), "plain-39").is_some());
    server.stop();
    let commands = records(&stage, "orders.commands");
    assert!(commands.iter().all(|command| command.data["idempotency"]["key"] != "gone-39"));
    assert!(commands.iter().any(|command| command.data["idempotency"]["key"] == "plain-39"));
    stage.verify_clean();
}
