//! `orderflow bench`: open-loop load on a running server.
//!
//! Requests are due at fixed times, whether or not earlier requests have been answered. A latency counts from the
//! time the request was due. A stall therefore shows in the percentiles of all requests that it delayed (no
//! coordinated omission; Gil Tene, "How NOT to Measure Latency"). With `--rate max` the loop is closed and the
//! percentiles are service times; the report says which.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use http::Method;
use serde::Serialize;
use serde_json::json;

use crate::remote::{Client, Target, needs_login};

/// Orders in one request of batch mode.
const BATCH_ORDERS: u64 = 1_000;
/// The number of SKUs that the orders are spread over.
const SKUS: u64 = 10_000;
/// The number of customers that the orders are spread over.
const CUSTOMERS: u64 = 5_000;

/// How orders are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One order a request, answered once it is decided.
    Single,
    /// Many orders a request, answered once they are durable.
    Batch,
}

/// What to send, and where.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The server to load.
    pub target: Target,
    /// How orders are sent.
    pub mode: Mode,
    /// Orders a second; `None`: as fast as they are answered.
    pub rate: Option<f64>,
    /// How long requests are sent.
    pub duration: Duration,
    /// Connections that send requests at the same time.
    pub connections: u32,
    /// Lines in each order.
    pub lines: u32,
}

/// The result of a load.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How orders were sent.
    pub mode: Mode,
    /// Whether requests were due at fixed times, which makes latencies count from the due time.
    pub open_loop: bool,
    /// Connections that sent requests at the same time.
    pub connections: u32,
    /// Lines in each order.
    pub lines: u32,
    /// The role that the requests had, and how the server learned it.
    pub caller: String,
    /// Orders in requests that were answered with success.
    pub orders: u64,
    /// Requests that failed or were refused.
    pub errors: u64,
    /// Seconds from the first request to the last response.
    pub seconds: f64,
    /// Orders a second, over the time until all were durable (and, in single mode, decided).
    pub durable_per_s: f64,
    /// Orders a second, over the time until the database showed the last of them. `None` if the caller may not read the
    /// log, which tells when that was.
    pub materialised_per_s: Option<f64>,
    /// Milliseconds from the time a request was due to its response.
    pub latency_ms: Latency,
}

/// Percentiles in milliseconds.
#[derive(Debug, Serialize)]
pub struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    p999: f64,
    max: f64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Latency { p50, p90, p99, p999, max } = &self.latency_ms;
        let (orders, seconds) = (self.orders, self.seconds);
        let kind =
            if self.open_loop { "open loop, from due to answered" } else { "closed loop, service times" };
        writeln!(f, "{orders} orders of {} lines in {seconds:.1} s, {} errors", self.lines, self.errors)?;
        writeln!(f, "{:?} mode, {} connections, {}", self.mode, self.connections, self.caller)?;
        writeln!(f, "durable      {:>10.0} orders/s", self.durable_per_s)?;
        match self.materialised_per_s {
            Some(rate) => writeln!(f, "materialised {rate:>10.0} orders/s")?,
            None => writeln!(f, "materialised          ? orders/s (only an admin may read the log)")?,
        }
        writeln!(f, "latency of a request in ms ({kind}):")?;
        writeln!(f, "  p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2}")
    }
}

struct Shared {
    bench: Bench,
    run: String,
    started: Instant,
    next: AtomicU64,
    orders: AtomicU64,
    errors: AtomicU64,
}

/// Receives stock of every SKU, loads the server, waits until the store has caught up, and reports.
pub async fn run(bench: Bench) -> Result<Report> {
    let run = format!("{:08x}", uuid::Uuid::new_v4().as_u128() as u32);
    let mut client = Client::new(&bench.target, "service", "bench");
    receive_stock(&mut client).await?;
    let shared = Arc::new(Shared {
        run,
        started: Instant::now(),
        next: AtomicU64::new(0),
        orders: AtomicU64::new(0),
        errors: AtomicU64::new(0),
        bench: bench.clone(),
    });
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..bench.connections.max(1) {
        tasks.spawn(connection(shared.clone()));
    }
    let mut all = Histogram::<u64>::new(3)?;
    while let Some(histogram) = tasks.join_next().await {
        all.add(histogram??)?;
    }
    let durable = shared.started.elapsed();
    let mut admin = Client::new(&bench.target, "admin", "bench");
    let materialised = match admin.may_read_log().await? {
        true => {
            admin.settled().await?;
            Some(shared.started.elapsed())
        }
        false => None,
    };
    Ok(report(&shared, &all, durable, materialised))
}

fn report(
    shared: &Shared,
    all: &Histogram<u64>,
    durable: Duration,
    materialised: Option<Duration>,
) -> Report {
    let orders = shared.orders.load(Ordering::Relaxed);
    let ms = |quantile| all.value_at_quantile(quantile) as f64 / 1000.0;
    Report {
        mode: shared.bench.mode,
        open_loop: shared.bench.rate.is_some(),
        connections: shared.bench.connections,
        lines: shared.bench.lines,
        caller: shared.bench.target.authentication.describe("service"),
        orders,
        errors: shared.errors.load(Ordering::Relaxed),
        seconds: durable.as_secs_f64(),
        durable_per_s: orders as f64 / durable.as_secs_f64(),
        materialised_per_s: materialised.map(|within| orders as f64 / within.as_secs_f64()),
        latency_ms: Latency {
            p50: ms(0.5),
            p90: ms(0.9),
            p99: ms(0.99),
            p999: ms(0.999),
            max: all.max() as f64 / 1000.0,
        },
    }
}

async fn connection(shared: Arc<Shared>) -> Result<Histogram<u64>> {
    let mut client = Client::new(&shared.bench.target, "service", "bench");
    let mut histogram = Histogram::<u64>::new(3)?;
    let size = if shared.bench.mode == Mode::Batch { BATCH_ORDERS } else { 1 };
    loop {
        let first = shared.next.fetch_add(size, Ordering::Relaxed);
        let due = match shared.bench.rate {
            Some(rate) => shared.started + Duration::from_secs_f64(first as f64 / rate),
            None => Instant::now(),
        };
        if due >= shared.started + shared.bench.duration {
            return Ok(histogram);
        }
        tokio::time::sleep_until(due.into()).await;
        let answer = request(&mut client, &shared, first, size).await;
        histogram.record(u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX))?;
        match answer {
            Ok(orders) => shared.orders.fetch_add(orders, Ordering::Relaxed),
            Err(error) if needs_login(&error) => return Err(error),
            Err(error) => {
                tracing::debug!(%error, "request failed");
                shared.errors.fetch_add(1, Ordering::Relaxed)
            }
        };
    }
}

async fn request(client: &mut Client, shared: &Shared, first: u64, size: u64) -> Result<u64> {
    match shared.bench.mode {
        Mode::Single => {
            let headers = [("content-type", "application/json")];
            let body = order(shared, first, false);
            client.send(Method::POST, "/orders", &headers, body).await?.success()?;
            Ok(1)
        }
        Mode::Batch => {
            let lines: Vec<String> =
                (first..first + size).map(|number| order(shared, number, true)).collect();
            let answer =
                client.post_lines("/orders/batch", lines.join("\n").into()).await?.success()?.json()?;
            answer["accepted"].as_u64().context("an answer without `accepted`")
        }
    }
}

/// The JSON of the order with this number. The same run and number give the same order.
fn order(shared: &Shared, number: u64, keyed: bool) -> String {
    let (customer, mut lines) = (number % CUSTOMERS, String::new());
    for line in 0..u64::from(shared.bench.lines) {
        let sku = (number.wrapping_mul(31).wrapping_add(line * 7919)) % SKUS;
        let comma = if line == 0 { "" } else { "," };
        lines += &format!(r#"{comma}{{"sku":"bench-{sku}","quantity":1,"unit_price":1299}}"#);
    }
    let key = if keyed { format!(r#""idempotency_key":"{}-{number}","#, shared.run) } else { String::new() };
    format!(r#"{{{key}"customer_id":"customer-{customer}","currency":"EUR","lines":[{lines}]}}"#)
}

async fn receive_stock(client: &mut Client) -> Result<()> {
    let receipt = |sku| json!({ "sku": format!("bench-{sku}"), "quantity": 10_000_000 }).to_string();
    let lines: Vec<String> = (0..SKUS).map(receipt).collect();
    client.post_lines("/inventory/batch", lines.join("\n").into()).await?.success()?;
    Ok(())
}
