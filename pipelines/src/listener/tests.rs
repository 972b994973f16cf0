use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Bytes, routing::get};
use http_body_util::{BodyExt, Empty};
use hyper::{
    body::Incoming,
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use orderflow_web::{BodyLimit, ForwardedHeader, OtherMediaTypes};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::front::{Admission, AdmissionLimits, CorsOrigins, FrontDoor, FrontSettings};

/// A server under test. `/` is answered at once, and `/slow` when the test lets it.
struct Stage {
    address: SocketAddr,
    asked: Arc<Notify>,
    go_on: Arc<Notify>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

impl Stage {
    /// A server with this many ordinary places and two in the reserve.
    async fn new(connections_max: usize, head_within: Duration) -> Self {
        let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (asked_too, go_on_too) = (asked.clone(), go_on.clone());
        let slow = async move || {
            asked_too.notify_one();
            go_on_too.notified().await;
            "slow"
        };
        let router = Router::new()
            .route("/", get(async || "at once"))
            .route("/health", get(async || "healthy"))
            .route("/slow", get(slow));
        let settings = FrontSettings {
            body_limit: BodyLimit::default(),
            body_within: Duration::from_secs(30),
            trace_per_mille: 0,
            cors_origins: CorsOrigins::default(),
            requires_tls: false,
            trusted_proxies: TrustedProxies::default(),
            forwarded_header: ForwardedHeader::default(),
            other_media_types: OtherMediaTypes::default(),
        };
        let admission = Admission::new(AdmissionLimits {
            bytes_max: 1 << 20,
            requests_max: 100,
            body_bytes_max: 1 << 20,
            line_bytes_max: 1 << 20,
        });
        let limits = Limits {
            per_address_max: 10,
            trusted_proxies: TrustedProxies::default(),
            head_within,
            streams_max: 10,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Server::new(listener, Places::new(connections_max, 2), limits, None);
        let stop = CancellationToken::new();
        let door = FrontDoor::new(router, settings, admission);
        let server = tokio::spawn(server.run(door, stop.clone()));
        Self { address, asked, go_on, stop, server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection on which `/slow` is being answered.
    async fn busy(&self) -> TcpStream {
        let mut stream = self.connect().await;
        ask(&mut stream, "/slow").await;
        self.asked.notified().await;
        stream
    }
}

const LONG: Duration = Duration::from_secs(60);

async fn ask(stream: &mut TcpStream, path: &str) {
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
}

/// Reads a response up to `word`, its last word.
async fn answer(stream: &mut TcpStream, word: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(word.as_bytes()) {
        let read = stream.read_buf(&mut text).await.unwrap();
        assert_ne!(read, 0, "closed before it answered: {}", String::from_utf8_lossy(&text));
    }
    String::from_utf8(text).unwrap()
}

/// Reads until the server closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    // A connection that is cut may end with a reset.
    let _ = stream.read_to_string(&mut text).await;
    text
}

#[tokio::test]
async fn a_connection_without_a_whole_head_is_closed_in_time_and_others_are_served() {
    let stage = Stage::new(10, Duration::from_millis(200)).await;
    let mut silent = stage.connect().await;
    let mut half = stage.connect().await;
    half.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n").await.unwrap();
    let mut preface = stage.connect().await;
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut busy = stage.busy().await;
    let mut second = stage.connect().await;
    ask(&mut second, "/").await;
    answer(&mut second, "at once").await;
    second.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    for slow in [&mut silent, &mut half, &mut second] {
        assert_eq!(until_closed(slow).await, "");
    }
    let mut rest = Vec::new();
    let _ = preface.read_to_end(&mut rest).await;
    // A request that is being answered has all the time.
    stage.go_on.notify_one();
    answer(&mut busy, "slow").await;
}

#[tokio::test]
async fn a_silent_connection_is_closed_after_a_while_though_its_last_request_was_whole() {
    let stage = Stage::new(1, Duration::from_secs(5)).await;
    let mut idle = stage.connect().await;
    ask(&mut idle, "/").await;
    answer(&mut idle, "at once").await;
    tokio::time::pause();
    assert_eq!(until_closed(&mut idle).await, "");
}

#[tokio::test]
async fn at_the_bound_the_longest_idle_connection_makes_room() {
    let stage = Stage::new(3, LONG).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = stage.connect().await;
        ask(&mut stream, "/").await;
        answer(&mut stream, "at once").await;
        streams.push(stream);
    }
    // The connection that was idle longest sends another request and is busy.
    let [busy, first, second] = streams.as_mut_slice() else { unreachable!("there are three") };
    ask(busy, "/slow").await;
    stage.asked.notified().await;
    let mut newcomer = stage.connect().await;
    ask(&mut newcomer, "/").await;
    answer(&mut newcomer, "at once").await;
    assert_eq!(until_closed(first).await, "");
    ask(second, "/").await;
    answer(second, "at once").await;
    stage.go_on.notify_one();
    answer(busy, "slow").await;
}

#[tokio::test]
async fn who_waits_at_the_bound_is_served_when_an_answer_has_gone_out() {
    let stage = Stage::new(1, LONG).await;
    let mut busy = stage.busy().await;
    let mut newcomer = stage.connect().await;
    ask(&mut newcomer, "/").await;
    tokio::task::yield_now().await;
    stage.go_on.notify_one();
    answer(&mut busy, "slow").await;
    answer(&mut newcomer, "at once").await;
}

#[tokio::test]
async fn while_all_places_are_taken_health_is_answered_and_the_rest_is_503() {
    let stage = Stage::new(1, LONG).await;
    let mut busy = stage.busy().await;
    let mut monitor = stage.connect().await;
    ask(&mut monitor, "/health").await;
    let healthy = until_closed(&mut monitor).await;
    assert!(healthy.ends_with("healthy") && healthy.contains("connection: close"), "{healthy}");
    // Two connections wait for a place, which is all that may; the next request is refused at once.
    let mut waiting = [stage.connect().await, stage.connect().await];
    for stream in &mut waiting {
        ask(stream, "/").await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    let mut refused = stage.connect().await;
    ask(&mut refused, "/").await;
    let refused = until_closed(&mut refused).await;
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
    stage.go_on.notify_one();
    answer(&mut busy, "slow").await;
    // Each of the two gets the place in turn.
    for stream in &mut waiting {
        answer(stream, "at once").await;
    }
}

#[tokio::test]
async fn slow_connections_in_the_reserve_leave_for_newer_ones() {
    let stage = Stage::new(1, LONG).await;
    let _busy = stage.busy().await;
    let mut slow = Vec::new();
    for _ in 0..5 {
        let mut stream = stage.connect().await;
        stream.write_all(b"GET /health HTTP/1.1\r\n").await.unwrap();
        slow.push(stream);
    }
    let mut monitor = stage.connect().await;
    ask(&mut monitor, "/health").await;
    answer(&mut monitor, "healthy").await;
    for stream in &mut slow[..3] {
        assert_eq!(until_closed(stream).await, "");
    }
}

#[tokio::test]
async fn one_address_has_a_bound_of_its_own() {
    let stage = Stage::new(100, LONG).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        let mut stream = stage.connect().await;
        ask(&mut stream, "/").await;
        answer(&mut stream, "at once").await;
        open.push(stream);
    }
    assert_eq!(until_closed(&mut stage.connect().await).await, "");
    open.pop();
    // The server notices the end of a connection a moment later.
    loop {
        let mut stream = stage.connect().await;
        ask(&mut stream, "/").await;
        if stream.read(&mut [0]).await.is_ok_and(|read| read > 0) {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let stage = Stage::new(10, LONG).await;
    let mut idle = stage.connect().await;
    ask(&mut idle, "/").await;
    answer(&mut idle, "at once").await;
    let mut busy = stage.busy().await;
    stage.stop.cancel();
    assert_eq!(until_closed(&mut idle).await, "");
    assert!(TcpStream::connect(stage.address).await.is_err(), "it listens no more");
    stage.go_on.notify_one();
    answer(&mut busy, "slow").await;
    stage.server.await.unwrap();
}

/// A client of HTTP/2, and the task of its connection, which ends with the connection.
async fn http_2(stage: &Stage) -> (SendRequest<Empty<Bytes>>, JoinHandle<hyper::Result<()>>) {
    let io = TokioIo::new(stage.connect().await);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    (sender, tokio::spawn(connection))
}

fn get_2(path: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(format!("http://a{path}")).body(Empty::new()).unwrap()
}

async fn text_of(response: http::Response<Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().into()).unwrap()
}

#[tokio::test]
async fn an_idle_http_2_connection_makes_room_and_a_busy_one_does_not() {
    let stage = Stage::new(1, LONG).await;
    let (mut sender, connection) = http_2(&stage).await;
    assert_eq!(text_of(sender.send_request(get_2("/")).await.unwrap()).await, "at once");
    let slow = tokio::spawn(sender.send_request(get_2("/slow")));
    stage.asked.notified().await;
    assert_eq!(text_of(sender.send_request(get_2("/")).await.unwrap()).await, "at once");
    let mut newcomer = stage.connect().await;
    ask(&mut newcomer, "/").await;
    tokio::task::yield_now().await;
    stage.go_on.notify_one();
    assert_eq!(text_of(slow.await.unwrap().unwrap()).await, "slow");
    answer(&mut newcomer, "at once").await;
    // The server said that it closes, and closed.
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_finishes_the_requests_of_an_http_2_connection() {
    let stage = Stage::new(10, LONG).await;
    let (mut sender, connection) = http_2(&stage).await;
    let slow = tokio::spawn(sender.send_request(get_2("/slow")));
    stage.asked.notified().await;
    stage.stop.cancel();
    stage.go_on.notify_one();
    assert_eq!(text_of(slow.await.unwrap().unwrap()).await, "slow");
    connection.await.unwrap().unwrap();
    stage.server.await.unwrap();
}

#[tokio::test]
async fn without_a_place_http_2_gets_the_health_and_then_a_goodbye() {
    let stage = Stage::new(1, LONG).await;
    let mut busy = stage.busy().await;
    let (mut sender, connection) = http_2(&stage).await;
    assert_eq!(text_of(sender.send_request(get_2("/health")).await.unwrap()).await, "healthy");
    connection.await.unwrap().unwrap();
    stage.go_on.notify_one();
    answer(&mut busy, "slow").await;
}
