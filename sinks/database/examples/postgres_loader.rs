//! Measures the sink over Postgres beside hand-written loaders for its tables:
//! `cargo run --example postgres_loader -- postgres://user@host/database`.
//!
//! Each writes 50,000 orders as they are placed, with their stock, and as they are reserved, into a schema of its own
//! on the same server, with one commit a batch and `synchronous_commit=on`. They take turns, and the median of three
//! runs is printed. The loaders get finished rows; the sink makes the rows from events, as it must.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod loaders;
mod market;

use std::{str::FromStr, time::Instant};

use market::{Outcome, batches, events};
use orderflow_database::{
    Rows,
    postgres::{PostgresSettings, PostgresSink, SchemaName},
};
use orderflow_sinks::{Checkpoint, EventBatch, Sink};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, PgConnection, postgres::PgConnectOptions};

const ROUNDS: usize = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Loader {
    Sink,
    Unnest,
    Single,
    Copy,
}

const LOADERS: [(Loader, &str); 4] = [
    (Loader::Sink, "the sink"),
    (Loader::Unnest, "arrays, a statement a table"),
    (Loader::Single, "arrays, one statement"),
    (Loader::Copy, "COPY and merge"),
];

type Work = Vec<(EventBatch, Rows, Checkpoint)>;

fn work(size: usize) -> Outcome<Work> {
    let mut work = Vec::new();
    for version in [1, 2] {
        for (batch, checkpoint) in batches(&events(version)?, size) {
            let rows = Rows::of(&batch)?;
            work.push((batch, rows, checkpoint));
        }
    }
    Ok(work)
}

async fn connect(url: &str, schema: &str) -> Outcome<PgConnection> {
    let options = PgConnectOptions::from_str(url)?;
    let options = options.options([("search_path", schema), ("synchronous_commit", "on")]);
    Ok(options.disable_statement_logging().connect().await?)
}

/// Runs one loader over empty tables and returns the seconds it took.
async fn run(url: &str, loader: Loader, work: &Work) -> Outcome<f64> {
    let schema = SchemaName::try_from("orderflow_loader".to_owned())?;
    let drop_schema = format!("DROP SCHEMA IF EXISTS {schema} CASCADE");
    let mut connection = connect(url, schema.as_str()).await?;
    connection.execute(AssertSqlSafe(drop_schema.clone())).await?;
    let settings = PostgresSettings { schema: schema.clone(), ..PostgresSettings::default() };
    let mut sink = PostgresSink::open(url, &settings).await?;
    connection.execute("CHECKPOINT").await?;
    let begun = Instant::now();
    for (batch, rows, checkpoint) in work {
        match loader {
            Loader::Sink => {
                sink.apply(batch, checkpoint).await?;
            }
            Loader::Unnest => loaders::unnest(&mut connection, rows, checkpoint).await?,
            Loader::Single => loaders::single_statement(&mut connection, rows, checkpoint).await?,
            Loader::Copy => loaders::copy_and_merge(&mut connection, rows, checkpoint).await?,
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    drop(sink);
    connection.execute(AssertSqlSafe(drop_schema)).await?;
    Ok(seconds)
}

async fn measure(url: &str, size: usize) -> Outcome<()> {
    let work = work(size)?;
    let rows: usize =
        work.iter().map(|(_, rows, _)| rows.orders.len() + rows.history.len() + rows.stock.len()).sum();
    let mut seconds: Vec<Vec<f64>> = vec![Vec::new(); LOADERS.len()];
    for round in 0..ROUNDS {
        // Each round begins with another loader, so that no loader always follows the same one.
        for turn in 0..LOADERS.len() {
            let at = (round + turn) % LOADERS.len();
            seconds[at].push(run(url, LOADERS[at].0, &work).await?);
        }
    }
    for times in &mut seconds {
        times.sort_by(f64::total_cmp);
    }
    let rates: Vec<f64> = seconds.iter().map(|times| rows as f64 / times[ROUNDS / 2]).collect();
    let fastest = rates[1..].iter().copied().fold(0.0, f64::max);
    println!("batches of {size} events, {rows} rows in {} batches:", work.len());
    for ((_, name), rate) in LOADERS.iter().zip(&rates) {
        println!("  {name:<30} {rate:>9.0} rows/s  {:>4.0} % of the fastest by hand", rate / fastest * 100.0);
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let url = std::env::args().nth(1).ok_or("usage: postgres_loader URL")?;
    for size in [500, 5_000, 10_000] {
        measure(&url, size).await?;
    }
    Ok(())
}
