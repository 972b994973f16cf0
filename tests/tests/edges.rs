//! Unusual HTTP requests over a real connection, which tests of the routes alone do not cover.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
};

use orderflow_tests::{Client, Server, Stage, levels, order, repository, supply, wait_levels};
use serde_json::{Value, json};

/// A segment of a path, with everything percent-encoded that can be.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(byte).collect()
}

#[test]
fn every_request_of_http_1_1_names_its_host_once() {
    let stage = Stage::new();
    let server = stage.serve();
    let client = server.admin();
    for (head, status) in [
        ("GET /orders HTTP/1.1\r\n", 400),
        ("GET /no-such-path HTTP/1.1\r\n", 400),
        ("GET /orders HTTP/1.1\r\nhost: localhost\r\nhost: 127.0.0.1\r\n", 400),
        ("GET /orders HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\n", 400),
        ("GET /orders HTTP/1.1\r\nhost: a b\r\n", 400),
        ("GET /orders HTTP/1.1\r\nhost: caf\u{e9}\r\n", 400),
        ("GET /orders HTTP/1.1\r\nhost: shop.example\r\n", 403),
        ("GET /orders HTTP/1.1\r\nhost: localhost\r\n", 200),
        ("GET /orders HTTP/1.0\r\n", 200),
    ] {
        let answer = client.raw(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
        assert_eq!(answer.status, status, "{head}: {}", answer.text());
    }
}

/// The first line of the response to a head with `Expect: 100-continue` and a body of `length` bytes.
fn first_line(server: &Server, length: usize, body: &[u8]) -> String {
    let mut stream = server.admin().connect().unwrap();
    let head = format!(
        "POST /inventory/tea/receipts HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "it ended before a line");
        text.push(byte[0]);
    }
    let first = String::from_utf8(text).unwrap().trim().to_owned();
    if first.contains(" 100 ") {
        stream.write_all(body).unwrap();
        let mut rest = String::new();
        stream.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("HTTP/1.1 200"), "{rest}");
    }
    first
}

#[test]
fn a_body_that_is_too_long_is_refused_before_it_is_sent() {
    let stage = Stage::new();
    let server = stage.serve();
    let body = br#"{"quantity":7}"#;
    assert!(first_line(&server, body.len(), body).contains(" 100 "));
    assert!(first_line(&server, (1 << 20) + 1, b"").contains(" 413 "));
    assert!(first_line(&server, usize::MAX >> 1, b"").contains(" 413 "));
    wait_levels(&server.admin(), "tea", [7, 7, 0, 0, 0]);
}

/// The paths that the program serves, according to its sources.
fn routes() -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    for file in ["ingest/src/routes.rs", "api/src/routes.rs"] {
        let source = std::fs::read_to_string(repository().join(file)).unwrap();
        let declared = source.lines().filter(|line| line.contains("(Method::"));
        routes.extend(declared.filter_map(|line| Some(line.split('"').nth(1)?.to_owned())));
    }
    assert!(routes.len() > 20, "{routes:?}");
    routes
}

/// The fixed words at places where another path has this parameter.
fn words_beside(parameter: &str) -> BTreeSet<String> {
    let routes = routes();
    let mut words = BTreeSet::new();
    for route in &routes {
        let Some((before, _)) = route.split_once(parameter) else { continue };
        let beside = routes.iter().filter_map(|other| other.strip_prefix(before));
        let word = |rest: &str| rest.split('/').next().unwrap().to_owned();
        words.extend(beside.map(word).filter(|word| !word.starts_with('{') && !word.is_empty()));
    }
    words
}

/// Creates a product, receives and corrects stock of it, orders it, and reads all of this back.
fn use_sku(admin: &Client, ann: &Client, sku: &str) {
    let path = encoded(sku);
    let product = json!({ "name": "A name", "unit_price": 5, "currency": "EUR" });
    admin.put(&format!("/products/{path}"), &product).is(200);
    let line = json!({ "sku": sku, "name": "Another", "unit_price": 6, "currency": "EUR" }).to_string();
    admin.post_lines("/products/batch", line.as_bytes()).is(202);
    admin.post(&format!("/inventory/{path}/receipts"), &json!({ "quantity": 5 })).is(200);
    let line = json!({ "sku": sku, "quantity": 4 }).to_string();
    let received = admin.post_lines("/inventory/batch", line.as_bytes()).is(202);
    assert_eq!(received.json()["accepted"], 1, "{sku}");
    let change = json!({ "delta": -1, "reason": "broken" });
    admin.post(&format!("/inventory/{path}/adjustments"), &change).is(200);
    let placed = ann.post("/orders", &order(&[(sku, 1)])).is(201);
    let reader = admin.after(&placed);
    let shown = reader.get(&format!("/products/{path}")).is(200).json();
    assert_eq!((&shown["sku"], &shown["unit_price"]), (&Value::from(sku), &6.into()), "{shown}");
    let stock = reader.get(&format!("/inventory/{path}")).is(200).json();
    assert_eq!((&stock["sku"], levels(&stock)[0]), (&Value::from(sku), 9), "{stock}");
    let asked = json!({ "lines": [{ "sku": sku, "quantity": 1 }] });
    assert_eq!(reader.post("/check-availability", &asked).is(200).json()["available"], true);
}

#[test]
fn every_sku_that_can_be_made_can_be_read_and_changed() {
    let stage = Stage::new();
    let server = stage.serve();
    let (admin, ann) = (server.admin(), server.customer("ann"));
    let words = words_beside("{sku}");
    assert!(words.contains("batch"), "{words:?}");
    let odd = [
        "user",
        "receipts",
        "a/b",
        "/",
        "a//b",
        "batch/receipts",
        "...",
        ".a",
        "a.",
        "%",
        "a%2Fb",
        "%2e",
        "?",
        "a?b=c",
        "#",
        "a+b",
        "&=;",
        "{sku}",
        "*",
        "\\",
        "Größe-42",
        "日本語",
    ];
    for sku in words.iter().map(String::as_str).chain(odd) {
        use_sku(&admin, &ann, sku);
    }
    for dots in [".", ".."] {
        let product = json!({ "name": "A name", "unit_price": 5, "currency": "EUR" });
        admin.put(&format!("/products/{}", encoded(dots)), &product).is_problem(400, "invalid-sku");
        let line = json!({ "sku": dots, "quantity": 1 }).to_string();
        assert_eq!(admin.post_lines("/inventory/batch", line.as_bytes()).is(202).json()["accepted"], 0);
    }
    // At the place of an order's id, a word is not a valid id.
    for word in words_beside("{id}") {
        assert!((400..500).contains(&admin.get(&format!("/orders/{word}")).status), "{word}");
    }
    for customer in ["a/b", "user", "batch", "é", "%"] {
        let path = encoded(customer);
        let placed = server.customer(customer).post("/orders", &order(&[("batch", 1)])).is(201);
        let listed = admin.after(&placed).list(&format!("/orders/user/{path}"), 10);
        assert_eq!(listed.len(), 1, "{customer}");
    }
    server.stop();
    stage.verify_clean();
}

#[test]
fn two_keys_that_are_no_text_are_not_one_key() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let body = order(&[("tea", 1)]).to_string();
    let place = |key: &[u8]| {
        let head = format!(
            "POST /orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-orderflow-role: customer\r\nx-orderflow-subject: ann\r\ncontent-type: application/json\r\ncontent-length: {}\r\nidempotency-key: ",
            body.len()
        );
        let request = [head.as_bytes(), key, b"\r\n\r\n", body.as_bytes()].concat();
        server.admin().raw(&request).unwrap()
    };
    for key in [b"caf\xe9".as_slice(), b"caf\xe8"] {
        let refused = place(key).is_problem(400, "invalid-header");
        assert!(refused["detail"].as_str().unwrap().contains("Idempotency-Key"), "{refused}");
    }
    let first = place("café".as_bytes()).is(201).json()["id"].clone();
    assert_ne!(place("cafè".as_bytes()).is(201).json()["id"], first);
    assert_eq!(place("café".as_bytes()).is(201).json()["id"], first);
}

/// Runs on SQLite, or on Postgres if the tests run on it.
#[test]
fn times_of_the_whole_range_are_kept_and_found() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let ann = server.customer("ann");
    for (given, shown) in [
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("1969-12-31T23:59:59.5-01:00", "1970-01-01T00:59:59.5Z"),
        ("1900-02-28T00:00:00+14:00", "1900-02-27T10:00:00Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ] {
        let mut body = order(&[("tea", 1)]);
        body["placed_at"] = given.into();
        let placed = ann.post("/orders", &body).is(201);
        assert_eq!(placed.json()["placed_at"], shown, "{given}");
        let path = format!("/orders/{}", placed.json()["id"].as_str().unwrap());
        assert_eq!(ann.after(&placed).get(&path).is(200).json()["placed_at"], shown, "{given}");
    }
    for wrong in [
        "2017-01-01T00Z",
        "2017-01-01T00:00:00+25:59",
        "2017-01-01T00:00:00Z[UTC]",
        "2016-12-31T23:59:60Z",
        "0000-12-31T00:00:00Z",
        "2017-01-01 00:00:00Z",
    ] {
        let mut body = order(&[("tea", 1)]);
        body["placed_at"] = wrong.into();
        ann.post("/orders", &body).is_problem(400, "invalid-request");
    }
    let (all, but_the_last) = ("/orders?from=0001-01-01T00:00:00Z", "&to=9999-12-31T23:59:59.999999Z");
    assert_eq!(server.admin().list(all, 2).len(), 4);
    assert_eq!(server.admin().list(&format!("{all}{but_the_last}"), 2).len(), 3);
    server.stop();
    stage.verify_clean();
}
