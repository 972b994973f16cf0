//! HTTP/2, slow clients, a port for metrics alone, and what every response has.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use bytes::Bytes;
use http::Response;
use orderflow_tests::{Client, Http, Server, Stage, exchange, order, path_of, request, supply, wait_until};
use serde_json::{Value, json};

/// Sends a request in HTTP/1.1.
#[track_caller]
fn send(server: &Server, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    exchange(server.address, None, Http::One, request(method, path, headers, "")).unwrap()
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

fn problem(answer: &Response<Bytes>) -> Value {
    assert_eq!(header(answer, "content-type"), Some("application/problem+json"), "{answer:?}");
    serde_json::from_slice(answer.body()).unwrap()
}

#[test]
fn http_2_with_prior_knowledge_is_served_and_its_authority_is_the_host() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let body = order(&[("tea", 1)]).to_string();
    let headers = [
        ("content-type", "application/json"),
        ("x-orderflow-role", "customer"),
        ("x-orderflow-subject", "ann"),
        ("idempotency-key", "k"),
    ];
    let place = || {
        let place = request("POST", "/orders", &headers, &body);
        exchange(server.address, None, Http::Two, place).unwrap()
    };
    let placed = place();
    assert_eq!(placed.status(), 201, "{placed:?}");
    assert_eq!(header(&place(), "idempotent-replayed"), Some("true"));
    // A page under a name that its owner lets point to this machine.
    let mut rebound = request("GET", "/orders", &[], "");
    *rebound.uri_mut() = "http://rebound.example/orders".parse().unwrap();
    assert_eq!(exchange(server.address, None, Http::Two, rebound).unwrap().status(), 403);
    let two_hosts = request("GET", "/orders", &[("host", "127.0.0.1")], "");
    assert_eq!(exchange(server.address, None, Http::Two, two_hosts).unwrap().status(), 400);
    server.stop();
    stage.verify_clean();
}

/// Connections that send half of a request's head.
fn slow_clients(server: &Server, count: usize) -> Vec<TcpStream> {
    let begin = |_| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(b"GET /orders HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap();
        stream
    };
    (0..count).map(begin).collect()
}

#[test]
fn heads_that_are_not_complete_in_time_end_their_connection_and_no_other() {
    let stage = Stage::new().with("network_head_within_s", 2);
    let server = stage.serve();
    let mut slow = slow_clients(&server, 50);
    server.admin().get("/orders").is(200);
    for stream in &mut slow {
        let _ = stream.read_to_end(&mut Vec::new());
    }
    let metrics = server.admin().get("/metrics").is(200).text();
    assert!(metrics.contains("orderflow_http_connections_cut_total{reason=\"slow-head\"} 50"), "{metrics}");
    server.stop();
}

#[test]
fn health_is_answered_while_slow_clients_hold_every_place() {
    let stage = Stage::new()
        .with("connections_max", 20)
        .with("network_connections_reserved", 5)
        .with("network_head_within_s", 60);
    let server = stage.serve();
    // More than the ordinary places and the reserve together.
    let slow = slow_clients(&server, 60);
    for path in ["/health", "/health/live", "/health/ready"] {
        assert_eq!(send(&server, "GET", path, &[]).status(), 200, "{path}");
    }
    let refused = send(&server, "GET", "/orders", &[]);
    assert_eq!(problem(&refused)["type"], "overloaded");
    assert_eq!((refused.status().as_u16(), header(&refused, "retry-after")), (503, Some("1")));
    assert_eq!(header(&refused, "connection"), Some("close"));
    drop(slow);
    wait_until("there is room again", || {
        (send(&server, "GET", "/orders", &[]).status() == 200).then_some(())
    });
    server.stop();
}

#[test]
fn one_address_cannot_take_every_connection_unless_it_is_a_trusted_proxy() {
    let stage = Stage::new().with("connections_per_address_max", 10);
    let server = stage.serve();
    let slow = slow_clients(&server, 10);
    let one_more = |server: &Server| {
        let ask = request("GET", "/health/live", &[], "");
        exchange(server.address, None, Http::One, ask).is_ok_and(|answer| answer.status() == 200)
    };
    assert!(!one_more(&server));
    drop(slow);
    wait_until("the address has room again", || one_more(&server).then_some(()));
    server.stop();
    let server = stage.with("trusted_proxies", "10.0.0.0/8,127.0.0.1").serve();
    let _slow = slow_clients(&server, 50);
    assert!(one_more(&server));
}

#[test]
fn a_body_that_does_not_arrive_is_408_and_holds_its_bytes_no_longer() {
    let stage = Stage::new().with("network_body_within_s", 1);
    let server = stage.serve();
    let mut stream = server.admin().connect().unwrap();
    let head = "POST /inventory/tea/receipts HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{";
    stream.write_all(head.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 408") && text.contains("\"body-too-slow\""), "{text}");
    let metrics = server.admin().get("/metrics").is(200).text();
    assert!(metrics.contains("orderflow_http_bytes_in_flight 0"), "{metrics}");
    server.stop();
}

#[test]
fn a_request_in_flight_is_finished_when_the_server_stops() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let mut stream = server.customer("ann").connect().unwrap();
    let body = order(&[("tea", 1)]).to_string();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nx-orderflow-role: customer\r\nx-orderflow-subject: ann\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body, so the request is being answered.
    let mut line = [0; 25];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.ask_to_stop();
    wait_until("the server takes no more connections", || {
        TcpStream::connect(server.address).is_err().then_some(())
    });
    stream.write_all(body.as_bytes()).unwrap();
    let mut text = String::new();
    let _ = stream.read_to_string(&mut text);
    assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    server.wait().exits(0);
    stage.verify_clean();
}

#[test]
fn metrics_have_a_port_of_their_own_on_request() {
    let stage = Stage::new().with("metrics_listen", "127.0.0.1:0");
    let server = stage.serve();
    let monitor = Client::new(server.metrics_address());
    assert!(monitor.get("/metrics").is(200).text().contains("orderflow_build_info"));
    for client in [&monitor, &server.admin()] {
        for path in ["/health", "/health/live", "/health/ready"] {
            client.get(path).is(200);
        }
    }
    server.admin().get("/metrics").is_problem(404, "no-such-route");
    monitor.get("/orders").is_problem(404, "no-such-route");
    server.stop();
}

#[test]
fn pages_of_listed_origins_may_read_answers() {
    let stage = Stage::new().with("cors_origins", "http://localhost:3000, https://shop.example");
    let server = stage.serve();
    let preflight = |origin| {
        let headers = [("origin", origin), ("access-control-request-method", "PUT")];
        send(&server, "OPTIONS", "/products/tea", &headers)
    };
    for origin in ["http://localhost:3000", "https://shop.example"] {
        let answer = preflight(origin);
        assert_eq!(
            (answer.status().as_u16(), header(&answer, "access-control-allow-origin")),
            (204, Some(origin))
        );
        let allowed = header(&answer, "access-control-allow-headers").unwrap();
        for name in ["Authorization", "Idempotency-Key", "If-Match", "traceparent"] {
            assert!(allowed.contains(name), "{allowed}");
        }
        assert!(header(&answer, "access-control-allow-methods").unwrap().contains("PUT"));
    }
    let other = preflight("https://other.example");
    assert!(other.status().is_client_error(), "{other:?}");
    assert_eq!(header(&other, "access-control-allow-origin"), None);
    let answer = send(&server, "GET", "/orders", &[("origin", "http://localhost:3000")]);
    assert_eq!(answer.status(), 200);
    assert!(header(&answer, "access-control-expose-headers").unwrap().contains("Orderflow-Position"));
    assert_eq!(header(&answer, "vary"), Some("origin"));
    // Without accounts, pages of other machines stay out.
    assert_eq!(send(&server, "GET", "/orders", &[("origin", "https://shop.example")]).status(), 403);
    server.stop();
    let server = Stage::new().serve();
    let answer = send(&server, "GET", "/orders", &[("origin", "http://localhost:3000")]);
    assert_eq!((header(&answer, "access-control-allow-origin"), header(&answer, "vary")), (None, None));
}

#[test]
fn long_answers_are_compressed_as_the_client_prefers() {
    let stage = Stage::new();
    let server = stage.serve();
    let lines: String = (0..100)
        .map(|n| {
            json!({ "sku": format!("sku-{n}"), "name": "A name", "unit_price": 5, "currency": "EUR" })
                .to_string()
                + "\n"
        })
        .collect();
    let kept = server.admin().post_lines("/products/batch", lines.as_bytes()).is(202);
    let list = "/products?limit=100";
    let plain = server.admin().after(&kept).get(list).is(200).body;
    let get = |method, codings| send(&server, method, list, &[("accept-encoding", codings)]);
    let gzip = get("GET", "gzip, zstd;q=0.5");
    assert_eq!(
        (header(&gzip, "content-encoding"), header(&gzip, "vary")),
        (Some("gzip"), Some("accept-encoding"))
    );
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(&gzip.body()[..]).read_to_end(&mut text).unwrap();
    assert_eq!(text, plain);
    let zstd = get("GET", "gzip, zstd");
    assert_eq!(header(&zstd, "content-encoding"), Some("zstd"));
    assert_eq!(zstd::decode_all(&zstd.body()[..]).unwrap(), plain);
    let head = get("HEAD", "gzip");
    assert_eq!((header(&head, "content-encoding"), header(&head, "content-length")), (Some("gzip"), None));
    let identity = get("GET", "br, gzip;q=0");
    assert_eq!((header(&identity, "content-encoding"), identity.body()), (None, &Bytes::from(plain)));
    // An order has a tag that clients send back, so it has one representation.
    supply(&server.admin(), "tea", 100, 10);
    let mut long = order(&[("tea", 1)]);
    long["notes"] = "n".repeat(1000).into();
    let placed = server.customer("ann").post("/orders", &long).is(201);
    server.admin().after(&placed).get(&path_of(&placed)).is(200);
    let shown = send(&server, "GET", &path_of(&placed), &[("accept-encoding", "gzip")]);
    assert!(shown.body().len() > 1024 && header(&shown, "etag").is_some());
    assert_eq!(header(&shown, "content-encoding"), None);
    server.stop();
}

#[test]
fn a_request_whose_answer_is_not_accepted_has_no_effect() {
    let stage = Stage::new();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 10);
    let body = order(&[("tea", 1)]).to_string();
    let headers = [
        ("accept", "text/html, application/json;q=0"),
        ("content-type", "application/json"),
        ("x-orderflow-role", "customer"),
    ];
    let refused =
        exchange(server.address, None, Http::One, request("POST", "/orders", &headers, &body)).unwrap();
    assert_eq!((refused.status().as_u16(), &problem(&refused)["type"]), (406, &"not-acceptable".into()));
    assert!(server.admin().list("/orders", 10).is_empty());
    for (path, accept, status) in [
        ("/orders", "*/*", 200),
        ("/orders", "application/*;q=0.1", 200),
        ("/orders", "text/html", 406),
        ("/metrics", "text/plain;version=0.0.4", 200),
        ("/metrics", "image/png", 406),
    ] {
        assert_eq!(send(&server, "GET", path, &[("accept", accept)]).status(), status, "{path} {accept}");
    }
    server.stop();
}

#[test]
fn every_response_has_the_headers_that_protect_browsers_and_errors_are_problems() {
    let stage = Stage::new();
    let server = stage.serve();
    for (method, path, status) in [
        ("GET", "/orders", 200),
        ("GET", "/health", 200),
        ("GET", "/nowhere", 404),
        ("DELETE", "/orders", 405),
        ("POST", "/health", 405),
        ("POST", "/orders", 415),
    ] {
        let answer = send(&server, method, path, &[]);
        assert_eq!(answer.status(), status, "{method} {path}");
        if status >= 400 {
            problem(&answer);
        }
        if status == 405 {
            let allow = header(&answer, "allow").unwrap();
            assert!(allow.contains("GET") && !allow.contains(method), "{method} {path}: {allow}");
        }
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(header(&answer, name), Some(value), "{method} {path}: {name}");
        }
        assert_eq!(header(&answer, "strict-transport-security"), None);
    }
    server.stop();
}
