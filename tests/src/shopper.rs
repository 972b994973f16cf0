//! A client that acts as real clients do and records what it learns. It places, cancels and moves orders, receives
//! and corrects stock, and reads. When an answer is lost, it repeats the request under the same key, to the server
//! that runs then.

use std::{
    collections::BTreeMap,
    io,
    sync::atomic::{AtomicBool, Ordering},
};

use serde_json::json;

use crate::{
    Answer, Client, Server,
    history::{Entry, History, Operation, Outcome},
    order,
};

/// The number of plentiful SKUs besides the scarce one.
const PLENTIES: usize = 4;
/// How many of its orders a shopper remembers.
const ORDERS_MAX: usize = 16;

/// The name of a plentiful SKU.
fn plenty(n: usize) -> String {
    format!("plenty-{}", n % PLENTIES)
}

/// Fills the catalogue, and receives stock of the plentiful SKUs. The scarce SKUs have no stock yet.
#[track_caller]
pub fn open_shop(server: &Server, scarce: &[String], history: &History) {
    let admin = server.admin();
    for sku in scarce.iter().cloned().chain((0..PLENTIES).map(plenty)) {
        let product = json!({ "name": sku, "unit_price": 100, "currency": "EUR" });
        admin.put(&format!("/products/{sku}"), &product).is(200);
    }
    for sku in (0..PLENTIES).map(plenty) {
        let path = format!("/inventory/{sku}/receipts");
        let operation = Operation::Receive { sku, units: 100_000 };
        let receipt = json!({ "quantity": 100_000 });
        history.record(usize::MAX, None, operation, || Ok(admin.post(&path, &receipt).is(200)));
    }
}

/// A client that remembers its orders and writes.
#[derive(Debug)]
pub struct Shopper {
    number: usize,
    random: fastrand::Rng,
    sent: usize,
    /// A request whose answer was lost, to be repeated.
    waiting: Option<Request>,
    orders: Vec<Mine>,
    /// The position of its last write to each SKU, and when that write was invoked.
    moved: BTreeMap<String, (String, u64)>,
}

#[derive(Clone, Debug)]
struct Request {
    key: Option<String>,
    operation: Operation,
    /// Whether the request does not wait for the decision.
    hasty: bool,
}

/// An order as its shopper knows it.
#[derive(Clone, Debug)]
struct Mine {
    id: String,
    status: String,
    /// The position of an answer, whose version is known too.
    position: String,
    told: u64,
}

impl Shopper {
    /// The shopper with this number. With the same seed it sends the same requests as long as the answers are the
    /// same.
    pub fn new(number: usize, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed ^ (number as u64) << 32);
        Self { number, random, sent: 0, waiting: None, orders: Vec::new(), moved: BTreeMap::new() }
    }

    /// Sends requests, mostly about the scarce SKU, until `stop` is set or the server is gone.
    pub fn shop(&mut self, server: &Server, scarce: &str, history: &History, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let request = self.waiting.take().unwrap_or_else(|| self.choose(scarce));
            if !self.ask(server, request, history) {
                return;
            }
        }
    }

    /// Repeats the request that has no answer yet.
    #[track_caller]
    pub fn finish(&mut self, server: &Server, history: &History) {
        while let Some(request) = self.waiting.take() {
            assert!(self.ask(server, request, history), "the server is gone");
        }
    }

    /// Sends a request and records it. Returns whether there was a response.
    fn ask(&mut self, server: &Server, request: Request, history: &History) -> bool {
        let Request { key, operation, .. } = request.clone();
        let (entry, answer) = history.record(self.number, key, operation, || self.send(server, &request));
        // Some requests are not repeated, so that their outcome stays unknown.
        if entry.outcome == Outcome::Unknown && request.key.is_some() && self.random.u8(..10) > 0 {
            self.waiting = Some(request);
        }
        if let Some(answer) = &answer {
            self.learn(&entry, answer.header("orderflow-position"));
        }
        answer.is_some()
    }

    fn send(&self, server: &Server, request: &Request) -> io::Result<Answer> {
        let keyed = |client: Client| match &request.key {
            Some(key) => client.with("idempotency-key", key),
            None => client,
        };
        let admin = keyed(server.admin()).with("content-type", "application/json");
        let post =
            |path: &str, body: serde_json::Value| admin.try_send("POST", path, body.to_string().as_bytes());
        match &request.operation {
            Operation::Place { customer, lines } => {
                let mut client = keyed(server.customer(customer)).with("content-type", "application/json");
                if request.hasty {
                    client = client.with("prefer", "respond-async");
                }
                let lines: Vec<_> = lines.iter().map(|(sku, units)| (sku.as_str(), *units)).collect();
                client.try_send("POST", "/orders", order(&lines).to_string().as_bytes())
            }
            Operation::Change { order, to } => {
                let body = json!({ "status": to }).to_string();
                admin.try_send("PATCH", &format!("/orders/{order}/status"), body.as_bytes())
            }
            Operation::Receive { sku, units } => {
                post(&format!("/inventory/{sku}/receipts"), json!({ "quantity": units }))
            }
            Operation::Adjust { sku, delta } => {
                post(&format!("/inventory/{sku}/adjustments"), json!({ "delta": delta, "reason": "counted" }))
            }
            Operation::Look { sku, .. } => {
                let position = self.moved.get(sku).map_or("", |(position, _)| position);
                admin.with("orderflow-min-position", position).try_send(
                    "GET",
                    &format!("/inventory/{sku}"),
                    b"",
                )
            }
            Operation::Read { order, .. } => {
                let mine = self.orders.iter().find(|mine| mine.id == *order);
                let position = mine.map_or("", |mine| &mine.position);
                admin.with("orderflow-min-position", position).try_send(
                    "GET",
                    &format!("/orders/{order}"),
                    b"",
                )
            }
        }
    }

    fn learn(&mut self, entry: &Entry, position: Option<&str>) {
        match (&entry.operation, &entry.outcome) {
            (Operation::Receive { sku, .. } | Operation::Adjust { sku, .. }, Outcome::Levels(_)) => {
                if let Some(position) = position {
                    self.moved.insert(sku.clone(), (position.to_owned(), entry.invoked));
                }
            }
            (_, Outcome::Order(order)) => self.know(&order.id, &order.status, order.version, position),
            (_, Outcome::Named(id)) => self.know(id, "CREATED", 1, position),
            _ => {}
        }
        // Finished orders are of no further use.
        self.orders.retain(|mine| !["FAILED", "CANCELED", "DELIVERED"].contains(&mine.status.as_str()));
        if self.orders.len() > ORDERS_MAX {
            self.orders.remove(0);
        }
    }

    fn know(&mut self, id: &str, status: &str, version: u64, position: Option<&str>) {
        if let Some(mine) = self.orders.iter_mut().find(|mine| mine.id == id) {
            status.clone_into(&mut mine.status);
            if let Some(position) = position {
                (mine.position, mine.told) = (position.to_owned(), version);
            }
        } else if let Some(position) = position {
            let (id, status) = (id.to_owned(), status.to_owned());
            self.orders.push(Mine { id, status, position: position.to_owned(), told: version });
        }
    }

    /// Chooses the next request.
    fn choose(&mut self, scarce: &str) -> Request {
        let some = match self.random.u8(..100) {
            0..35 => None,
            35..45 => Some(self.place_plenty(false)),
            45..50 => Some(self.place_plenty(true)),
            50..62 => self.change(true),
            62..74 => self.change(false),
            74..85 => Some(Operation::Receive { sku: scarce.to_owned(), units: self.random.u64(1..=4) })
                .map(|operation| self.keyed(operation, false)),
            85..91 => Some(Operation::Adjust { sku: scarce.to_owned(), delta: self.random.i64(-3..0) })
                .map(|operation| self.keyed(operation, false)),
            91..95 => self.look(scarce),
            _ => self.read(),
        };
        some.unwrap_or_else(|| {
            let lines = vec![(scarce.to_owned(), self.random.u64(1..=3))];
            let operation = Operation::Place { customer: self.name(), lines };
            self.keyed(operation, false)
        })
    }

    fn name(&self) -> String {
        format!("shopper-{}", self.number)
    }

    fn keyed(&mut self, operation: Operation, hasty: bool) -> Request {
        self.sent += 1;
        let key = format!("{}-{}", self.name(), self.sent);
        Request { key: Some(key), operation, hasty }
    }

    fn place_plenty(&mut self, hasty: bool) -> Request {
        let first = self.random.usize(..PLENTIES);
        let lines =
            vec![(plenty(first), self.random.u64(1..=3)), (plenty(first + 1), self.random.u64(1..=3))];
        let operation = Operation::Place { customer: self.name(), lines };
        self.keyed(operation, hasty)
    }

    /// A request that cancels one of its orders, or moves it on.
    fn change(&mut self, cancel: bool) -> Option<Request> {
        let mine = self.random.choice(&self.orders)?.clone();
        let to = match mine.status.as_str() {
            "RESERVED" | "ACCEPTED" | "PREPARED" if cancel => "CANCELED",
            "RESERVED" => "ACCEPTED",
            "ACCEPTED" => "PREPARED",
            "PREPARED" => "SHIPPED",
            "SHIPPED" => "DELIVERED",
            _ => return self.read(),
        };
        let operation = Operation::Change { order: mine.id, to: to.to_owned() };
        Some(self.keyed(operation, false))
    }

    fn look(&mut self, sku: &str) -> Option<Request> {
        let (_, since) = self.moved.get(sku)?;
        let operation = Operation::Look { sku: sku.to_owned(), since: *since };
        Some(Request { key: None, operation, hasty: false })
    }

    fn read(&mut self) -> Option<Request> {
        let mine = self.random.choice(&self.orders)?;
        let operation = Operation::Read { order: mine.id.clone(), at_least: mine.told };
        Some(Request { key: None, operation, hasty: false })
    }
}
