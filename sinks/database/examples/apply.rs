//! Measures the database sink: `cargo run --release -p orderflow-database --example apply [DIRECTORY]`.
//!
//! Applies 50,000 orders as they are placed and reserved, and prints the rows a second for several batch sizes. The
//! database is under the directory, or under the system's directory for temporary files.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

mod market;

use std::{path::Path, sync::Arc, time::Instant};

use market::{ORDERS, Outcome, batches, events};
use orderflow_database::sqlite::{SqliteSettings, SqliteSink};
use orderflow_feed::EventRecord;
use orderflow_sinks::Sink;

async fn pass(sink: &mut SqliteSink, events: &[Arc<EventRecord>], size: usize) -> Outcome<f64> {
    let batches = batches(events, size);
    let begun = Instant::now();
    for (batch, checkpoint) in batches {
        sink.apply(&batch, &checkpoint).await?;
    }
    Ok(begun.elapsed().as_secs_f64())
}

async fn measure(directory: &Path, size: usize) -> Outcome<()> {
    let directory = tempfile::tempdir_in(directory)?;
    let mut sink =
        SqliteSink::open(&directory.path().join("orderflow.db"), &SqliteSettings::default()).await?;
    let (created, updated) = (events(1)?, events(2)?);
    let created = pass(&mut sink, &created, size).await?;
    let updated = pass(&mut sink, &updated, size).await?;
    let rate = |rows: u64, seconds: f64| (rows as f64 / seconds) as u64;
    println!(
        "batches of {size:>6} events: {:>7} orders/s placed (order, history and stock), {:>7} orders/s changed, {:>7} order and history rows/s",
        rate(ORDERS, created),
        rate(ORDERS, updated),
        rate(4 * ORDERS, created + updated),
    );
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    let directory = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    for size in [100, 1_000, 5_000, 20_000] {
        measure(&directory, size).await?;
    }
    Ok(())
}
