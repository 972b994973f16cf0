//! A small blocking HTTP/1.1 client: a connection for each request, so that no test depends on another's.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::{Answer, wait_until};

/// How long an answer may take. Only a test that fails waits so long.
const ANSWER_WITHIN: Duration = Duration::from_secs(600);

/// A caller: where it sends to, and the headers it sends with every request.
#[derive(Clone, Debug)]
pub struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    /// Asks again while the store has not caught up, however slow this machine is.
    patient: bool,
}

impl Client {
    /// A caller without headers of its own.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, headers: Vec::new(), patient: false }
    }

    /// The same caller with this header, in place of another value it may have.
    #[must_use]
    pub fn with(&self, name: &str, value: impl ToString) -> Self {
        let mut client = self.clone();
        client.headers.retain(|(there, _)| there != name);
        client.headers.push((name.to_owned(), value.to_string()));
        client
    }

    /// The same caller, who must see what it learned from this answer.
    #[must_use]
    pub fn after(&self, answer: &Answer) -> Self {
        Self { patient: true, ..self.with("orderflow-min-position", answer.position()) }
    }

    /// `GET`
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, b"")
    }

    /// `POST` of JSON.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.json("POST", path, body)
    }

    /// `PUT` of JSON.
    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Answer {
        self.json("PUT", path, body)
    }

    /// `PATCH` of JSON.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.json("PATCH", path, body)
    }

    /// `DELETE`
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, b"")
    }

    /// `POST` of NDJSON.
    #[track_caller]
    pub fn post_lines(&self, path: &str, lines: &[u8]) -> Answer {
        self.with("content-type", "application/x-ndjson").send("POST", path, lines)
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.with("content-type", "application/json").send(method, path, body.to_string().as_bytes())
    }

    /// Any request; panics if it gets no answer.
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

    /// Any request; an error if it gets no whole answer, as from a server that was killed.
    pub fn try_send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        // Who sends too much is answered before the end.
        let sent = stream.write_all(&[self.head(method, path, body.len()).as_bytes(), body].concat());
        let answer = Answer::read(&mut stream);
        if answer.is_err() {
            sent?;
        }
        answer
    }

    /// A request whose body says it has `length` bytes and ends after these.
    pub fn send_cut_off(&self, path: &str, body: &[u8], length: usize) -> io::Result<Answer> {
        let client = self.with("content-type", "application/x-ndjson");
        let mut stream = self.connect()?;
        stream.write_all(&[client.head("POST", path, length).as_bytes(), body].concat())?;
        stream.shutdown(std::net::Shutdown::Write)?;
        Answer::read(&mut stream)
    }

    /// Begins a request and hangs up without waiting for an answer.
    #[track_caller]
    pub fn abandon(&self, path: &str, body: &[u8], length: usize) {
        let client = self.with("content-type", "application/x-ndjson");
        let request = [client.head("POST", path, length).as_bytes(), body].concat();
        self.connect().and_then(|mut stream| stream.write_all(&request)).expect("a request can be begun");
    }

    /// Sends these bytes as they are and reads the answer to the end of the connection.
    pub fn raw(&self, request: &[u8]) -> io::Result<Answer> {
        let mut stream = self.connect()?;
        stream.write_all(request)?;
        Answer::read(&mut stream)
    }

    /// A connection of its own to the server.
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

    /// All items of a list, page by page along its cursors.
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

    /// Waits until no order of the default lifecycle waits for its decision.
    #[track_caller]
    pub fn wait_decided(&self) {
        wait_until("every order is decided", || {
            let waiting = self.get("/orders?status=CREATED&limit=1").is(200).json();
            waiting["items"].as_array().is_some_and(Vec::is_empty).then_some(())
        });
    }
}
