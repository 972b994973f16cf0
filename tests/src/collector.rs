//! A collector of traces that keeps the bodies of all requests.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

/// A server on its own port, which listens for as long as the test runs.
#[derive(Clone, Debug)]
pub struct Collector {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// Starts a collector that answers every request with this status.
    pub fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it listens");
        let collector = Self { address, bodies: Arc::default() };
        let taking = collector.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taking = taking.clone();
                thread::spawn(move || while taking.take(&stream, status).is_some() {});
            }
        });
        collector
    }

    /// The URL of the collector, as `--otlp-endpoint` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether the bodies so far contain these bytes at least this many times.
    pub fn has(&self, bytes: &[u8], times: usize) -> bool {
        self.lock().windows(bytes.len()).filter(|window| *window == bytes).count() >= times
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bodies.lock().expect("nobody panics with it")
    }

    /// Reads one request and responds; `None` once the client has closed the connection.
    fn take(&self, mut stream: &TcpStream, status: u16) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).expect("a head is text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or(0)];
        stream.read_exact(&mut body).ok()?;
        if head.starts_with("post /v1/traces ") && head.contains("content-type: application/x-protobuf") {
            self.lock().extend(body);
        }
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok()
    }
}
