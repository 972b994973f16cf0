//! `orderflow verify`: recomputes everything from the log and compares every store with it.
//!
//! It opens a stopped data directory, changes nothing, and checks, in one pass over each partition:
//! - every source counts 1, 2, 3 … in every partition (invariant 3);
//! - the processors, run again over the commands, write the events and messages that are there, to the byte
//!   (invariant 2);
//! - an independent ledger of every SKU agrees with the levels of every event and balances (invariant 5);
//! - every order's versions count 1, 2, 3 … (invariant 6);
//! - what orders hold is what stock has reserved;
//! - the database has, up to its checkpoint, the rows that follow from the events, and no others (invariant 7).
//!
//! Where retention has removed a partition's beginning, its processor begins at the newest snapshot, the first that is
//! met of an order or a SKU is taken as given, and what the database has from before is counted as unchecked.
//!
//! Memory grows with the number of orders, by a few words each, not with their size.

mod decisions;
mod differences;
mod ledger;
mod orders;
mod records;
mod store;

use std::{fmt, sync::Arc};

use anyhow::{Context, Result, ensure};
pub use differences::Differences;
use orderflow_schemas::Topic;
use orderflow_sinks::Checkpoint;
use orderflow_topics::{EmbeddedLog, Topics, embedded};

use self::{decisions::Processors, ledger::Ledger, orders::OrderBook};
use crate::{database, settings::Settings};

/// What was verified, and what was found.
#[derive(Debug, Default)]
pub struct Report {
    /// Records read.
    pub records: u64,
    /// Orders found in the log.
    pub orders: u64,
    /// SKUs found in the log.
    pub skus: u64,
    /// Commands at the end of the log that were not decided before the server stopped. They are decided when it
    /// starts again.
    pub undecided: u64,
    /// Events that the database does not show yet. It shows them when the server starts again.
    pub lag: u64,
    /// Commands that could not be read and became dead letters.
    pub unreadable: u64,
    /// Rows, histories and places in the catalogue that nothing in the log tells of any more.
    pub unchecked: u64,
    /// All that is not as it must be.
    pub differences: Differences,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, orders, skus, undecided, lag, unreadable, unchecked, differences } = self;
        writeln!(f, "verified {records} records, {orders} orders, {skus} SKUs")?;
        if *undecided + *lag > 0 {
            writeln!(
                f,
                "pending until the next start: {undecided} commands to decide, {lag} events to show"
            )?;
        }
        if *unreadable > 0 {
            writeln!(f, "{unreadable} commands could not be read; see dead.letters")?;
        }
        if *unchecked > 0 {
            writeln!(f, "unchecked: retention has removed what {unchecked} rows or histories follow from")?;
        }
        match differences.count() {
            0 => writeln!(f, "no difference: the log is consistent and every store equals it"),
            _ => write!(f, "{differences}"),
        }
    }
}

/// Verifies a data directory whose log was written under these settings.
pub async fn run(settings: &Settings) -> Result<Report> {
    let data = &settings.data;
    ensure!(
        data.join("log").is_dir(),
        "{} holds no log; name the data directory with --data",
        data.display()
    );
    let (log, opened) = EmbeddedLog::open_read_only(data.join("log"), embedded::Settings::default())?;
    if let Some(cut) = opened.cut {
        tracing::info!(bytes = cut.bytes, "a torn tail, of what was never acknowledged, is left out");
    }
    let topics: Arc<dyn Topics> = Arc::new(log);
    let mut report = Report::default();
    let audit =
        database::open_audit(&settings.database, data).await.context("the database cannot be opened")?;
    let checkpoint = match &audit {
        Some(audit) => audit.checkpoint().await?,
        None => Checkpoint::default(),
    };
    let processors = Processors::new(&*topics, settings);
    let states = processors.run_again(&*topics, &mut report).await?;
    let mut ledger = Ledger::new(&checkpoint);
    let mut orders = OrderBook::new(&checkpoint);
    for at in orderflow_topics::partitions_of(&*topics, Topic::StockEvents) {
        ledger.read(&*topics, at, &mut report).await?;
    }
    for at in orderflow_topics::partitions_of(&*topics, Topic::OrdersEvents) {
        orders.read(&*topics, at, &mut report).await?;
    }
    (report.orders, report.skus) = (orders.len(), ledger.len());
    if report.undecided == 0 {
        states.compare_holdings(&mut report.differences);
    }
    if let Some(audit) = audit {
        store::compare(&*audit, &*topics, &checkpoint, orders, ledger, &mut report).await?;
    }
    Ok(report)
}
