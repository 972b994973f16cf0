//! More is offered than the server may hold: what is over the bound is refused, and what is acknowledged is kept.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::Mutex,
    thread,
};

use orderflow_tests::{Answer, Client, Server, Stage, order, supply, wait_levels, wait_until};

/// The length of the body of each order.
const BODY_BYTES: usize = 2_000;
/// The orders whose bodies may be held at the same time.
const CAPACITY: usize = 10;
/// How many times the capacity is offered at once.
const TIMES: usize = 10;
/// The orders that each of the clients places one after the other.
const EACH: usize = 5;

fn stage() -> Stage {
    let bytes = BODY_BYTES * CAPACITY;
    Stage::new()
        .with("body_bytes_max", bytes)
        .with("ingest_line_bytes_max", 4096)
        .with("bytes_in_flight_max", bytes)
}

/// An order as a body of [`BODY_BYTES`] bytes.
fn body() -> String {
    format!("{:BODY_BYTES$}", order(&[("tea", 1)]).to_string())
}

/// Sends the head of an order and half of its body.
fn begin(server: &Server, n: usize) -> TcpStream {
    let mut stream = server.admin().connect().unwrap();
    let head = format!(
        "POST /orders HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nx-orderflow-role: customer\r\nx-orderflow-subject: held-{n}\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {BODY_BYTES}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server asks for the body once it has admitted the request.
    let mut line = [0; 25];
    stream.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(&body().as_bytes()[..BODY_BYTES / 2]).unwrap();
    stream
}

fn place(client: &Client) -> Answer {
    client.with("content-type", "application/json").send("POST", "/orders", body().as_bytes())
}

#[track_caller]
fn is_shed(answer: &Answer) {
    answer.is_problem(503, "overloaded");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[test]
fn what_exceeds_the_bytes_in_flight_is_refused_before_it_is_read_and_health_is_answered() {
    let stage = stage();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 100);
    let held: Vec<_> = (0..CAPACITY).map(|n| begin(&server, n)).collect();
    for _ in 0..CAPACITY * (TIMES - 1) {
        is_shed(&place(&server.customer("ann")));
    }
    for path in ["/health", "/metrics"] {
        server.admin().get(path).is(200);
    }
    server.admin().get("/orders").is(200);
    for mut stream in held {
        stream.write_all(&body().as_bytes()[BODY_BYTES / 2..]).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 201"), "{text}");
    }
    place(&server.customer("ann")).is(201);
    // A client that leaves gives back what its request held.
    for n in 0..3 * CAPACITY {
        drop(begin(&server, n));
        wait_until("the bytes are given back", || {
            let metrics = server.admin().get("/metrics").text();
            metrics.contains("orderflow_http_bytes_in_flight 0").then_some(())
        });
    }
    server.stop();
    stage.verify_clean();
}

#[test]
fn of_ten_times_the_capacity_every_acknowledged_order_is_kept_and_memory_stays_bounded() {
    let stage = stage();
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    let before = server.memory_bytes_max();
    let (acknowledged, shed) = (Mutex::new(Vec::new()), Mutex::new(0));
    thread::scope(|scope| {
        for client in 0..CAPACITY * TIMES {
            let (server, acknowledged, shed) = (&server, &acknowledged, &shed);
            scope.spawn(move || {
                for n in 0..EACH {
                    let customer = server.customer(&format!("customer-{client}"));
                    let customer = customer.with("idempotency-key", n);
                    let placed = wait_until("the order is taken", || {
                        let answer = place(&customer);
                        if answer.status != 503 {
                            return Some(answer.is(201));
                        }
                        is_shed(&answer);
                        *shed.lock().unwrap() += 1;
                        None
                    });
                    acknowledged.lock().unwrap().push(placed.json()["id"].clone());
                }
            });
        }
        for _ in 0..20 {
            server.admin().get("/health/live").is(200);
        }
    });
    assert!(*shed.lock().unwrap() > 0, "nothing was over the bound");
    let grown = server.memory_bytes_max() - before;
    assert!(grown < 256 << 20, "memory has grown by {grown} bytes");
    let admin = server.admin();
    let (acknowledged, placed) = (acknowledged.into_inner().unwrap(), (CAPACITY * TIMES * EACH) as u64);
    assert_eq!(acknowledged.len() as u64, placed);
    wait_levels(&admin, "tea", [1_000_000, 1_000_000 - placed, placed, 0, 0]);
    let shown: Vec<_> = admin.list("/orders", 1000).into_iter().map(|order| order["id"].clone()).collect();
    for id in &acknowledged {
        assert!(shown.contains(id), "the order {id} is lost");
    }
    server.stop();
    stage.verify_clean();
}
