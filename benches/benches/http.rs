//! `orderflow serve` and a bare server that reads the same requests and does nothing, under the same load, in turns.
//!
//! The load is `orderflow bench`, as fast as responses arrive, on the same machine. It shares the cores with the
//! server. Orders a second therefore describe the whole machine, and processor time an order describes the server.
//! The time of orderflow includes everything that follows an order, up to its rows in the database, and the stock
//! that `orderflow bench` receives first.

use std::io::Write as _;

use anyhow::{Context, Result};
use orderflow_benches::{
    Server, Table, bare, grouped, machine, median, milliseconds, orderflow, percent, wanted,
};
use serde_json::Value;
use tempfile::tempdir;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const STARTS: usize = 20;

/// The parameters of a load, and the number of rounds.
#[derive(Clone, Copy)]
struct Load {
    mode: &'static str,
    connections: &'static str,
    duration: &'static str,
    rounds: usize,
}

const SINGLE: Load = Load { mode: "single", connections: "64", duration: "4s", rounds: 4 };
/// A short load: every order it sends waits for the database, which is the slowest part for orders.
const BATCH: Load = Load { mode: "batch", connections: "4", duration: "500ms", rounds: 3 };

fn main() -> Result<()> {
    if bare::serve_if_asked()? || !wanted() {
        return Ok(());
    }
    let machine = machine();
    let starts = starts()?;
    let data = tempdir()?;
    let (limit, ours) = (Server::bare()?, Server::orderflow(data.path())?);
    for server in [&limit, &ours] {
        Round::of(server, Load { duration: "1s", ..SINGLE })?;
    }
    let single = compare(SINGLE, &limit, &ours)?;
    let batch = compare(BATCH, &limit, &ours)?;
    ours.stop()?;
    writeln!(
        std::io::stdout().lock(),
        "Machine: {machine}; client and server share its cores.\n\n\
         `POST /orders`, orders of one line, {} connections, closed loop, {} rounds of {} each; ours answers when the \
         order is durable and its stock reserved:\n\n{single}\n\
         `POST /orders/batch`, 1,000 orders of one line a request, {} connections, {} rounds of {} each; ours answers \
         when all are durable:\n\n{batch}\n\
         From starting the process to the first 200 of `/health/ready`, empty directory, {STARTS} times:\n\n{starts}",
        SINGLE.connections,
        SINGLE.rounds,
        SINGLE.duration,
        BATCH.connections,
        BATCH.rounds,
        BATCH.duration,
    )?;
    Ok(())
}

/// The results of one run of `orderflow bench`.
struct Round {
    durable_per_s: f64,
    materialised_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    cpu_us: f64,
}

impl Round {
    fn of(server: &Server, load: Load) -> Result<Self> {
        let Load { mode, connections, duration, .. } = load;
        let before = server.usage()?;
        let url = server.url();
        let report = orderflow(&[
            "bench",
            "--json",
            "--url",
            &url,
            "--mode",
            mode,
            "--connections",
            connections,
            "--for",
            duration,
        ])?;
        let after = server.usage()?;
        let report: Value = serde_json::from_str(&report)?;
        let number = |pointer: &str| {
            let found = report.pointer(pointer).and_then(Value::as_f64);
            found.with_context(|| format!("the report has no {pointer}: {report}"))
        };
        Ok(Self {
            durable_per_s: number("/durable_per_s")?,
            materialised_per_s: number("/materialised_per_s")?,
            p50_ms: number("/latency_ms/p50")?,
            p99_ms: number("/latency_ms/p99")?,
            cpu_us: (after.cpu_s - before.cpu_s) * 1e6 / number("/orders")?,
        })
    }
}

fn compare(load: Load, limit: &Server, ours: &Server) -> Result<Table> {
    let (mut limits, mut rounds) = (Vec::new(), Vec::new());
    for _ in 0..load.rounds {
        limits.push(Round::of(limit, load)?);
        rounds.push(Round::of(ours, load)?);
    }
    let rates = |rounds: &[Round]| rounds.iter().map(|round| round.durable_per_s).collect::<Vec<_>>();
    eprintln!("{}: bare {:.0?}, ours {:.0?}", load.mode, rates(&limits), rates(&rounds));
    let mut table = Table::new([
        "server",
        "orders/s",
        "of bare",
        "p50",
        "p99",
        "orders/s to the last row",
        "server CPU an order",
    ]);
    let of_bare = percent(median(&rates(&rounds)), median(&rates(&limits)));
    table.row(row("bare", &limits, String::new(), false));
    table.row(row("orderflow serve", &rounds, of_bare, true));
    Ok(table)
}

fn row(name: &str, rounds: &[Round], of_bare: String, has_rows: bool) -> [String; 7] {
    let middle = |value: fn(&Round) -> f64| median(&rounds.iter().map(value).collect::<Vec<_>>());
    let last_row = if has_rows { grouped(middle(|round| round.materialised_per_s)) } else { String::new() };
    [
        name.to_owned(),
        grouped(middle(|round| round.durable_per_s)),
        of_bare,
        format!("{:.2} ms", middle(|round| round.p50_ms)),
        format!("{:.2} ms", middle(|round| round.p99_ms)),
        last_row,
        format!("{:.1} µs", middle(|round| round.cpu_us)),
    ]
}

fn starts() -> Result<Table> {
    let (mut limits, mut times) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        limits.push(Server::bare()?.ready_after);
        let data = tempdir()?;
        let ours = Server::orderflow(data.path())?;
        times.push(ours.ready_after);
        // The server must end before its directory is removed.
        drop(ours);
    }
    let mut table = Table::new(["server", "median", "longest"]);
    for (name, mut times) in [("bare", limits), ("orderflow serve", times)] {
        times.sort();
        let longest = times.last().copied().unwrap_or_default();
        table.row([name.to_owned(), milliseconds(times[times.len() / 2]), milliseconds(longest)]);
    }
    Ok(table)
}
