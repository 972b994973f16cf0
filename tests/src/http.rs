//! A small blocking HTTP/1.1 client. Each request has its own connection, so that no test depends on another's.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::{Answer, wait_until};

/// The longest time that a response may take. Only a failing test waits this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// A caller: the address of the server, and the headers of every request.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    /// Whether requests are repeated while the store has not caught up with the position.
    patient: bool,
}

impl Client {
    /// A caller without own headers.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new(), patient: false }
    }

    /// The same caller at another address, such as that of a server that was started again.
    #[must_use]
    pub fn moved_to(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The same caller with this header, which replaces an earlier value.
    #[must_use]
    pub fn with(&self, name: &str, value: impl ToString) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(there, _)| there != name);
        client.headers.push((name.to_owned(), value.to_string()));
        client
    }

    /// The same caller, whose reads show at least the effect of this response's request.
    #[must_use]
    pub fn after(&self, answer: &Answer) -> Self {
        Self { patient: true, ..self.with("orderflow-min-position", answer.position()) }
    }

    /// Sends a `GET`.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    /// Sends a `POST` with JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body)
    }

    /// Sends a `PUT` with JSON.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body)
    }

    /// Sends a `PATCH` with JSON.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json("PATCH", path, body)
    }

    /// Sends a `DELETE`.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, b"")
    }

    /// Sends a `POST` with NDJSON.
    #[track_caller]
    pub fn post_lines(&self, path: &str, lines: &[u8]) -> Answer {
        self.with("content-type", "application/x-ndjson").send("POST", path, lines)
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.with("content-type", "application/json").send(method, path, body.to_string().as_bytes())
    }

    /// Sends a request; panics if there is no response.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let send = || match self.try_send(method, path, body) {
            Ok(answer) => answer,
            Err(error) => panic!("{method} {path} got no answer: {error}"),
        };
        if !self.patient {
            return send();
        }
        wait_until("the store has caught up", || {
            Some(send()).filter(|answer| answer.status != 503 || answer.json()["type"] != "not-caught-up")
        })
    }

    /// Sends a request. Returns an error if there is no complete response, such as from a killed server.
    pub fn try_send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        // A server answers a request that is too large before it has read all of it.
        let sent = stream.write_all(&[self.head(method, path, body.len()).as_bytes(), body].concat());
        let answer = Answer::read(&mut stream);
        if answer.is_err() {
            sent?;
        }
        answer
    }

    /// Sends a request whose `content-length` is `length`, and closes the sending side after `body`.
    pub fn send_cut_off(&self, path: &str, body: &[u8], length: usize) -> io::Result<Answer> {
        let client = self.with("content-type", "application/x-ndjson");
        let mut stream = self.connect()?;
        stream.write_all(&[client.head("POST", path, length).as_bytes(), body].concat())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        Answer::read(&mut stream)
    }

    /// Begins a request and closes the connection without waiting for a response.
    #[track_caller]
    pub fn abandon(&self, path: &str, body: &[u8], length: usize) {
        let client = self.with("content-type", "application/x-ndjson");
        let request = [client.head("POST", path, length).as_bytes(), body].concat();
        self.connect().and_then(|mut stream| stream.write_all(&request)).expect("a request can be begun");
    }

    /// Sends these bytes unchanged and reads the response.
    pub fn raw(&self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(request)?;
        Answer::read(&mut stream)
    }

    /// Opens a new connection to the server.
    pub fn connect(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        Ok(stream)
    }

    fn head(&self, method: &str, path: &str, length: usize) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n", self.address);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head + &format!("content-length: {length}\r\n\r\n")
    }

    /// All items of a list, read page by page with its cursors.
    #[track_caller]
    pub fn list(&self, path: &str, limit: u32) -> Vec<Value> {
        let and = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = self.get(&format!("{path}{and}limit={limit}{cursor}")).is(200).json();
            items.extend(page["items"].as_array().expect("a list has items").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }

    /// Waits until no order of the default lifecycle is in its first state, CREATED.
    #[track_caller]
    pub fn wait_decided(&self) {
        wait_until("every order is decided", || {
            let waiting = self.get("/orders?status=CREATED&limit=1").is(200).json();
            waiting["items"].as_array().is_some_and(Vec::is_empty).then_some(())
        });
    }
}
