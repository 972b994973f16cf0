//! What can be observed of a server: a log line for each request, the events of its parts, metrics and traces.

use std::collections::BTreeSet;

use orderflow_tests::{Answer, Collector, Stage, batch_line, order, path_of, settle, supply, wait_until};
use serde_json::Value;

/// The lines of a log in JSON.
fn lines(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The lines about requests with this id.
fn requests(log: &str, id: &str) -> Vec<Value> {
    let is_it = |line: &Value| line["target"] == "orderflow::access" && line["request_id"] == id;
    lines(log).into_iter().filter(is_it).collect()
}

#[test]
fn each_request_has_one_line_with_its_ids_and_without_its_content() {
    let stage = Stage::new().with("log_format", "json");
    let server = stage.serve();
    let ann = server.customer("ann");
    let id = |answer: &Answer| answer.header("x-request-id").unwrap().to_owned();
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    let given = ann.with("x-request-id", "job-7").with("traceparent", trace).get("/orders?status=RESERVED");
    assert_eq!(id(&given), "job-7");
    // An id that could forge a log line is replaced.
    let replaced = id(&ann.with("x-request-id", "a b\tc").get("/orders/nowhere"));
    let refused = id(&ann.with("content-type", "application/json").send(
        "POST",
        "/orders",
        b"{\"notes\":\"secret-note\"}",
    ));
    let hostless = server.admin().raw(b"GET /orders HTTP/1.1\r\nconnection: close\r\n\r\n").unwrap();
    assert_ne!(id(&given), id(&hostless));
    let log = server.stop().stderr;
    for (id, method, path, status) in [
        ("job-7", "GET", "/orders", 200),
        (&*replaced, "GET", "/orders/nowhere", 400),
        (&*refused, "POST", "/orders", 400),
        (&*id(&hostless), "GET", "/orders", 400),
    ] {
        let [line] = &*requests(&log, id) else { panic!("{id} has not one line: {log}") };
        assert_eq!((line["method"].as_str(), line["path"].as_str()), (Some(method), Some(path)), "{line}");
        assert_eq!(line["status"], status, "{line}");
        assert!(line["us"].as_u64().is_some(), "{line}");
    }
    assert_eq!(requests(&log, "job-7")[0]["trace_id"], trace[3..35]);
    for secret in ["RESERVED", "secret-note"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[test]
fn a_request_whose_client_leaves_has_a_line_without_a_status() {
    let stage = Stage::new().with("log_format", "json");
    let server = stage.serve();
    server.admin().with("x-request-id", "gone").abandon("/orders/batch", b"half", 1_000);
    wait_until("the request has its line", || {
        let found = requests(&server.stderr(), "gone");
        found.first().map(|line| assert!(line["path"] == "/orders/batch" && line["status"] != 202, "{line}"))
    });
}

#[test]
fn the_life_of_the_parts_is_told_at_info_and_the_filter_can_hide_it() {
    let stage = Stage::new().with("log_format", "json");
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1);
    let log = lines(&server.stop().stderr);
    let messages: BTreeSet<_> = log.iter().filter_map(|line| line["message"].as_str()).collect();
    for message in [
        "log opened",
        "store opened",
        "sink starts after its checkpoint",
        "processor recovered",
        "serving",
        "stopping",
        "the write API has stopped",
        "processor stopped",
        "sink stopped",
        "stopped",
    ] {
        assert!(messages.contains(message), "{message} is not among {messages:?}");
    }
    let quiet = stage.with("log", "warn");
    let server = quiet.serve();
    server.admin().get("/orders").is(200);
    assert!(lines(&server.stop().stderr).is_empty());
    let refused = quiet.with("log", "loud=very=much").start(&["--insecure-no-auth"]).wait().exits(2);
    assert!(refused.stderr.contains("--log <FILTER>"), "{}", refused.stderr);
}

#[test]
fn histograms_have_buckets_and_reads_are_measured_by_kind() {
    let server = Stage::new().serve();
    supply(&server.admin(), "tea", 100, 10);
    let placed = server.customer("ann").post("/orders", &order(&[("tea", 1)])).is(201);
    server.admin().after(&placed).get(&path_of(&placed)).is(200);
    server.admin().get("/orders?page=1").is(200);
    let metrics = server.admin().get("/metrics").is(200).text().to_owned();
    for line in [
        "# HELP orderflow_log_sync_seconds ",
        "# TYPE orderflow_log_sync_seconds histogram",
        "orderflow_log_sync_seconds_bucket{le=\"+Inf\"}",
        "orderflow_store_read_seconds_bucket{store=\"sqlite\",read=\"order\",le=",
        "orderflow_store_read_seconds_count{store=\"sqlite\",read=\"order_count\"}",
        "orderflow_http_request_seconds_count{method=\"POST\",route=\"/orders\",status=\"2xx\"} 1",
        "orderflow_http_request_seconds_count{method=\"GET\",route=\"/orders/{id}\",status=\"2xx\"}",
        "orderflow_build_info{version=",
    ] {
        assert!(metrics.contains(line), "`{line}` is not in {metrics}");
    }
    assert!(!metrics.contains("quantile="), "summaries cannot be added: {metrics}");
}

#[test]
fn the_trace_of_an_order_goes_from_the_request_to_the_row() {
    let collector = Collector::start(200);
    let stage = Stage::new().with("otlp_endpoint", collector.url()).with("trace_per_mille", 0);
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let ann = server.customer("ann");
    let traced = ann.with("traceparent", format!("00-{trace}-{parent}-01"));
    let placed = traced.post("/orders", &order(&[("tea", 2)])).is(201);
    let sent_back = placed.header("traceparent").unwrap();
    assert_eq!((&sent_back[3..35], &sent_back[52..]), (trace, "-01"));
    assert_ne!(&sent_back[36..52], parent, "the request is a span of its own");
    ann.post("/orders", &order(&[("tea", 1)])).is(201);
    // A stop leaves events that are not applied yet for the next start.
    settle(&server.admin());
    server.stop();
    let id: Vec<u8> =
        (0..32).step_by(2).map(|at| u8::from_str_radix(&trace[at..at + 2], 16).unwrap()).collect();
    // The spans are: the request, its append, three decided commands (place, reserve, reply), and the applied events
    // (order created, order reserved, stock).
    assert!(collector.has(&id, 8), "the trace has all its spans");
    for (name, times) in
        [("answer request", 1), ("append commands", 1), ("decide command", 3), ("apply event", 3)]
    {
        assert!(collector.has(name.as_bytes(), times), "{name}");
    }
    assert!(!collector.has(b"answer request", 2), "what is not sampled is not sent");
}

#[test]
fn a_collector_that_is_away_or_refuses_harms_nobody() {
    let collector = Collector::start(503);
    for endpoint in ["http://127.0.0.1:1".to_owned(), collector.url()] {
        let stage = Stage::new().with("otlp_endpoint", endpoint);
        let server = stage.serve();
        supply(&server.admin(), "tea", 100, 100);
        let lines: String = (0..50).map(|n| batch_line(&format!("k{n}"), "ann", "tea")).collect();
        let answer = server.admin().post_lines("/orders/batch", lines.as_bytes()).is(202);
        server.admin().after(&answer).get("/orders").is(200);
        wait_until("spans are dropped and counted", || {
            let metrics = server.admin().get("/metrics").is(200).text().to_owned();
            let dropped =
                metrics.lines().find_map(|line| line.strip_prefix("orderflow_spans_dropped_total "))?;
            (dropped.parse::<u64>().unwrap() > 0).then_some(())
        });
        let warned = server.stop().stderr.matches("does not take traces").count();
        assert_eq!(warned, 1, "it is said once");
        stage.verify_clean();
    }
    let refused = Stage::new().with("otlp_endpoint", "collector:4318").start(&["--insecure-no-auth"]).wait();
    refused.fails_naming(&["--otlp-endpoint"]);
}
