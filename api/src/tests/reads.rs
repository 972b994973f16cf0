//! What is read: orders, lists, stock, records, health.

use super::*;

#[tokio::test]
async fn an_order_is_shown_with_its_version_as_etag() {
    let fixture = fixture().await;
    let answer = fixture.get(&format!("/orders/{}", id(2))).await;
    assert_eq!(answer.headers["etag"], "\"3\"");
    assert_eq!(answer.json(), serde_json::to_value(order(2)).unwrap());
    let history = fixture.get(&format!("/search/orders/{}/history", id(2))).await.json();
    assert_eq!(history["items"][0]["type"], "order.updated");
    assert_eq!(history["next_cursor"], Value::Null);
}

#[tokio::test]
async fn an_order_that_the_client_has_is_not_sent_again() {
    let fixture = fixture().await;
    let ask = async |name: &str, tags: &str| {
        let request = Request::get(format!("/orders/{}", id(2))).header(name, tags);
        fixture.send(request.body(Body::empty()).unwrap()).await
    };
    for (name, tags, wanted) in [
        ("if-none-match", "\"3\"", 304),
        ("if-none-match", "\"1\", W/\"3\"", 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"2\", \"x\"", 200),
        ("if-none-match", "3", 400),
        ("if-match", "\"2\", \"3\"", 200),
        ("if-match", "*", 200),
        ("if-match", "W/\"3\"", 412),
        ("if-match", "\"2\"", 412),
    ] {
        let answer = ask(name, tags).await;
        assert_eq!(answer.status.as_u16(), wanted, "{name}: {tags}");
        assert!(wanted == 400 || answer.headers["etag"] == "\"3\"", "{name}: {tags}");
        assert_eq!(answer.body.is_empty(), wanted == 304);
    }
}

#[tokio::test]
async fn a_cursor_goes_on_only_with_the_list_it_came_from() {
    let fixture = fixture().await;
    let cursor = async |path: &str| {
        let answer = fixture.get(path).await.json();
        answer["next_cursor"].as_str().expect("the list goes on").to_owned()
    };
    let of_all = cursor("/orders?limit=1").await;
    let of_bob = cursor("/orders?limit=1&customer_id=bob").await;
    for (path, wanted) in [
        (format!("/orders?limit=2&cursor={of_all}"), 200),
        (format!("/orders/user/bob?cursor={of_bob}"), 200),
        (format!("/orders?customer_id=bob&cursor={of_all}"), 400),
        (format!("/orders?status=RESERVED&cursor={of_all}"), 400),
        (format!("/orders?from=2017-01-01T00:00:00Z&cursor={of_all}"), 400),
        (format!("/orders?cursor={of_bob}"), 400),
        (format!("/inventory?cursor={of_all}"), 400),
        (format!("/search/orders/{}/history?cursor={of_all}", id(2)), 400),
        (format!("/orders?cursor={}", "00".repeat(16)), 400),
        (format!("/orders?cursor={}", "00".repeat(24)), 400),
        (format!("/orders?cursor={}", of_all.to_uppercase()), 400),
        ("/orders?cursor=".to_owned(), 400),
    ] {
        let answer = fixture.get(&path).await;
        assert_eq!(answer.status.as_u16(), wanted, "{path}");
        assert!(wanted == 200 || answer.json()["parameter"] == "cursor", "{path}");
    }
    let by_customer = fixture.get_as("customer:ann", &format!("/orders?cursor={of_all}")).await;
    assert_eq!(by_customer.status.as_u16(), 400);
}

#[tokio::test]
async fn parameters_are_read_strictly() {
    let fixture = fixture().await;
    for (path, parameter) in [
        ("/orders?from=2017-01-01T00Z", "from"),
        ("/orders?to=2017-01-01T00:00:60Z", "to"),
        ("/orders?to=2017-01-01T00:00:00%2B25:59", "to"),
        ("/orders?to=2017-01-01T00:00:00Z%5BUTC%5D", "to"),
        ("/orders?idempotency_key=caf%E9", "idempotency_key"),
        ("/orders?customer_id=a%E2%80%8Bb", "customer_id"),
        ("/orders?customer_id=cafe%CC%81", "customer_id"),
        ("/orders?limit=1&limit=1", "limit"),
    ] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["parameter"]), (400, &json!(parameter)), "{path}");
    }
    for path in ["/orders/%ff", "/inventory/caf%E9", "/products/%C3%28", "/orders/user/%E9"] {
        assert_eq!(fixture.get(path).await.status.as_u16(), 400, "{path}");
    }
    let full = "/orders?from=0001-01-01T00:00:00Z&to=9999-12-31T23:59:59.999999Z&limit=1";
    assert_eq!(fixture.get(full).await.ids().len(), 1);
}

#[tokio::test]
async fn customers_see_only_their_own_orders_newest_first() {
    let fixture = fixture().await;
    let answer = fixture.get_as("customer:bob", "/orders").await;
    assert_eq!(answer.ids(), [7, 5, 3, 1].map(|n| id(n).to_string()));
    let filtered =
        fixture.get("/orders?status=RESERVED&from=1970-01-01T00:00:01Z&to=1970-01-01T00:00:03Z").await;
    assert_eq!(filtered.ids(), [2, 1].map(|n| id(n).to_string()));
    let by_key = fixture.get("/orders?idempotency_key=key-4").await;
    assert_eq!(by_key.ids(), [id(4).to_string()]);
}

#[tokio::test]
async fn cursors_and_pages_visit_every_order_once() {
    let fixture = fixture().await;
    let expected: Vec<_> = (0..8).rev().map(|n| id(n).to_string()).collect();
    let (mut path, mut seen) = ("/orders?limit=3".to_owned(), Vec::new());
    loop {
        let answer = fixture.get(&path).await;
        seen.extend(answer.ids());
        let Some(cursor) = answer.json()["next_cursor"].as_str().map(str::to_owned) else { break };
        path = format!("/orders?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, expected);
    let page = fixture.get("/orders?page=3&limit=3").await;
    assert_eq!((page.ids(), page.json()["total"].as_u64()), (expected[6..].to_vec(), Some(8)));
}

#[tokio::test]
async fn what_does_not_exist_or_cannot_be_is_said_by_name() {
    let fixture = fixture().await;
    let unknown = format!("/orders/{}", id(99));
    for (path, status, slug, word) in [
        (unknown.as_str(), 404, "order-not-found", ""),
        ("/orders/not-an-id", 400, "invalid-id", "not-an-id"),
        ("/inventory/Z", 404, "unknown-sku", "Z"),
        ("/products/B", 404, "unknown-sku", "B"),
        ("/orders?status=NOWHERE", 400, "invalid-parameter", "NOWHERE"),
        ("/orders?colour=red", 400, "invalid-parameter", "colour"),
        ("/orders?from=yesterday", 400, "invalid-parameter", "from"),
        ("/orders?limit=0", 400, "invalid-parameter", "limit"),
        ("/orders?limit=1001", 400, "invalid-parameter", "limit"),
        ("/orders?page=0", 400, "invalid-parameter", "page"),
        ("/orders?cursor=xyz", 400, "invalid-parameter", "cursor"),
        ("/orders/user/ann?customer_id=bob", 400, "invalid-parameter", "customer_id"),
        ("/inventory?sku=A", 400, "invalid-parameter", "sku"),
        ("/topics/nope/0/records", 404, "unknown-topic", "nope"),
        ("/topics/orders.commands/x/records", 400, "invalid-partition", "x"),
        ("/topics/orders.commands/1/records", 404, "unknown-partition", "orders.commands/1"),
        ("/topics/orders.commands/0/records?from=3", 410, "records-removed", "10"),
    ] {
        let answer = fixture.get(path).await;
        let problem = answer.json();
        assert_eq!(
            (answer.status.as_u16(), problem["type"].as_str()),
            (status, Some(slug)),
            "{path}: {problem}"
        );
        assert!(problem["detail"].as_str().unwrap().contains(word), "{path}: {problem}");
    }
}

#[tokio::test]
async fn a_read_waits_for_its_position_and_gives_up_after_two_seconds() {
    let fixture = fixture().await;
    let request = |position: &str| {
        Request::get("/orders").header("orderflow-min-position", position).body(Body::empty()).unwrap()
    };
    let unknown = fixture.send(request("orders.commands:7@0")).await;
    assert_eq!(
        (unknown.status, &unknown.json()["type"]),
        (StatusCode::BAD_REQUEST, &json!("invalid-position"))
    );
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let late = fixture.send(request("orders.commands:0@5")).await;
    assert_eq!(begun.elapsed().as_secs(), 2);
    assert_eq!(
        (late.status, &late.json()["type"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("not-caught-up"))
    );
    assert_eq!(late.headers["retry-after"], "1");
    tokio::time::resume();
    let progress = PartitionCheckpoint { cause: Some(Offset(5)), ..PartitionCheckpoint::default() };
    let advance = async { fixture.progress.advance(&Checkpoint([(EVENTS, progress)].into())) };
    let (answer, ()) = tokio::join!(fixture.send(request("orders.commands:0@5")), advance);
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn availability_counts_lines_of_one_sku_together() {
    let fixture = fixture().await;
    let post = async |body: Value| {
        let request = Request::post("/check-availability").header("content-type", "application/json");
        fixture.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let line = |sku: &str, quantity: u32| json!({ "sku": sku, "quantity": quantity });
    let enough = post(json!({ "lines": [line("A", 3), line("A", 4)] })).await.json();
    assert_eq!(enough["available"], true);
    let short = post(json!({ "lines": [line("A", 4), line("A", 4), line("Z", 1)] })).await.json();
    assert_eq!(short["available"], false);
    assert_eq!(short["lines"][2], json!({ "sku": "Z", "requested": 1, "available": 0 }));
    let invalid = post(json!({ "lines": [line("A", 1), line("A", 0)] })).await;
    assert_eq!(invalid.json()["errors"][0]["pointer"], "/lines/1/quantity");
    // Lines that no order may have are refused.
    for lines in [
        json!([]),
        json!([["A", 1, null]]),
        json!([{ "sku": "A", "quantity": 1, "unit_price": 1_000_000_000_001u64 }]),
        json!([{ "sku": "A", "quantity": 1, "unit_price": -1 }]),
        json!([line("A", 600_000), line("A", 600_000)]),
        json!([{ "sku": "A", "quantity": 1_000_000, "unit_price": 1_000_000_000_000u64 }]),
        json!([line("a b", 1)]),
    ] {
        let refused = post(json!({ "lines": lines })).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{lines}");
        assert!(refused.json()["errors"][0]["pointer"].as_str().unwrap().starts_with("/lines"), "{lines}");
    }
    let request = Request::post("/check-availability").header("idempotency-key", "k");
    assert_eq!(fixture.send(request.body(Body::empty()).unwrap()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn stock_and_products_are_shown_apart() {
    let fixture = fixture().await;
    let levels =
        json!({ "sku": "A", "received": 7, "available": 7, "reserved": 0, "shipped": 0, "written_off": 0 });
    assert_eq!(fixture.get("/inventory/A").await.json(), levels);
    let product = json!({ "sku": "A", "name": "Apple", "unit_price": 5, "currency": "EUR" });
    assert_eq!(fixture.get("/products/A").await.json(), product);
    assert_eq!(fixture.get("/inventory?page=1").await.json()["total"], 2);
    assert_eq!(fixture.get("/products").await.json()["items"], json!([product]));
}

#[tokio::test]
async fn admins_see_topics_and_durable_records_only() {
    let fixture = fixture().await;
    let topics = fixture.get("/topics").await.json();
    let partition = json!({ "partition": 0, "start": 10, "end": 13, "durable_end": 12 });
    assert_eq!(topics["items"][0], json!({ "topic": "orders.commands", "partitions": [partition] }));
    let records = fixture.get("/topics/orders.commands/0/records").await;
    assert_eq!(records.headers["content-type"], "application/x-ndjson");
    assert_eq!(records.headers["orderflow-next-offset"], "12");
    let lines: Vec<Value> = records
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    assert_eq!(lines[0]["value"], json!({ "a": 1 }));
    assert_eq!(lines[1], json!({ "topic": "orders.commands", "partition": 0, "offset": 11, "hex": "ff" }));
    assert_eq!(lines.len(), 2);
    let bounded = fixture.get("/topics/orders.commands/0/records?from=10&limit=1").await;
    assert_eq!(bounded.headers["orderflow-next-offset"], "11");
    assert!(fixture.get("/topics/orders.commands/0/records?from=12").await.body.is_empty());
}

#[tokio::test]
async fn it_is_ready_when_every_part_is() {
    let fixture = fixture().await;
    assert_eq!(fixture.get("/health/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let (log, sink) = (fixture.health.part("log"), fixture.health.part("sink/database"));
    log.set(Status::Ready);
    assert_eq!(fixture.get("/health/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    sink.set(Status::Ready);
    assert_eq!(fixture.get("/health/ready").await.status, StatusCode::OK);
    sink.set(Status::Waiting);
    assert_eq!(fixture.get("/health/ready").await.status, StatusCode::OK, "orders are taken meanwhile");
    let waiting = fixture.get("/health").await;
    assert_eq!(waiting.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(waiting.json()["status"], "waiting");
    log.set(Status::Starting);
    assert_eq!(fixture.get("/health/ready").await.json()["status"], "starting");
    sink.set(Status::Failed);
    let health = fixture.get("/health").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(health.json()["parts"]["sink/database"]["status"], "failed");
    assert_eq!(fixture.get("/health/live").await.status, StatusCode::OK);
    assert_eq!(fixture.get("/metrics").await.body, "orders 1\n");
}
