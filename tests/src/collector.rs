//! A collector of traces: takes whatever is posted to it and keeps the bodies.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

/// Listens on a port of its own for as long as the test runs.
#[derive(Clone, Debug)]
pub struct Collector {
    address: SocketAddr,
    bodies: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// One that answers every request with this status.
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

    /// Where, as `--otlp-endpoint` takes it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Whether these bytes are in what was posted so far, as often as this.
    pub fn has(&self, bytes: &[u8], times: usize) -> bool {
        self.lock().windows(bytes.len()).filter(|window| *window == bytes).count() >= times
    }

    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.bodies.lock().expect("nobody panics with it")
    }

    /// Takes one request; `None` once the client has closed.
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
