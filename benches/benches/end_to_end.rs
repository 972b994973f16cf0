//! Replays a file of real orders through a fresh `orderflow serve` to the log and the database. Then replays it
//! again, with every line a repeat, and runs `orderflow verify` on the result. For comparison, it measures the client
//! with a bare server on the same file.
//!
//! `ORDERFLOW_REPLAY_FILE` names the file, NDJSON as `orderflow replay` accepts it. Without it, the sample among the
//! fixtures is used, which is too small for more than a first impression.

use std::{io::Write as _, path::PathBuf, time::Instant};

use anyhow::{Context, Result};
use orderflow_benches::{
    Server, Table, Usage, bare, grouped, machine, mebibytes, orderflow, repository, wanted,
};
use tempfile::tempdir;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The environment variable that names the file of orders.
const FILE: &str = "ORDERFLOW_REPLAY_FILE";
const SAMPLE: &str = "tests/fixtures/baskets-sample.ndjson.zst";

fn main() -> Result<()> {
    if bare::serve_if_asked()? || !wanted() {
        return Ok(());
    }
    let file = std::env::var_os(FILE).map_or_else(|| repository().join(SAMPLE), PathBuf::from);
    let (machine, name) = (machine(), file.file_name().unwrap_or_default().to_string_lossy().into_owned());
    let file = file.to_str().context("the path of the file is not UTF-8")?;
    let mut table = Table::new(["", "orders/s durable", "orders/s to the last row", "CPU", "peak memory"]);

    let limit = Server::bare()?;
    table.row(Replayed::to(&limit, file)?.row("bare server: parsed, and no more", false));
    drop(limit);

    let data = tempdir()?;
    let server = Server::orderflow(data.path())?;
    let first = Replayed::to(&server, file)?;
    table.row(first.row("first replay", true));
    table.row(Replayed::to(&server, file)?.row("second replay: repeats", true));
    server.stop()?;
    let path = data.path().to_str().context("the path of a temporary directory is not UTF-8")?;
    let started = Instant::now();
    let verified = orderflow(&["verify", "--data", path])?;
    writeln!(
        std::io::stdout().lock(),
        "Machine: {machine}; client and server share its cores.\n\n\
         {name}: {} orders, `orderflow replay --stock 100` on one connection, 4,000 orders a request, each durable \
         before its answer; CPU and memory are the server's, with the stock it receives first:\n\n{table}\n\
         `orderflow verify` afterwards: {:.1} s.\n{verified}",
        grouped(first.orders),
        started.elapsed().as_secs_f64(),
    )?;
    Ok(())
}

/// The report of a replay, and the resources that the server used for it.
struct Replayed {
    orders: f64,
    durable_per_s: f64,
    rows_per_s: f64,
    cpu_s: f64,
    after: Usage,
}

impl Replayed {
    fn to(server: &Server, file: &str) -> Result<Self> {
        let before = server.usage()?;
        let said = orderflow(&["replay", file, "--stock", "100", "--url", &server.url()])?;
        let after = server.usage()?;
        eprint!("{said}");
        let number = |from: &str, to: &str| {
            let found =
                said.split_once(from).and_then(|(_, rest)| rest.split_once(to)?.0.parse::<f64>().ok());
            found.with_context(|| format!("not what a replay says: {said}"))
        };
        let orders = number("", " orders accepted")?;
        Ok(Self {
            orders,
            durable_per_s: orders / number("durable in ", " s")?,
            rows_per_s: orders / number("in the database in ", " s")?,
            cpu_s: after.cpu_s - before.cpu_s,
            after,
        })
    }

    fn row(&self, name: &str, has_rows: bool) -> [String; 5] {
        let cpu_us = self.cpu_s * 1e6 / self.orders;
        [
            name.to_owned(),
            grouped(self.durable_per_s),
            if has_rows { grouped(self.rows_per_s) } else { String::new() },
            format!("{:.1} s, {cpu_us:.0} µs an order", self.cpu_s),
            mebibytes(self.after.memory_bytes_max),
        ]
    }
}
