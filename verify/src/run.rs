//! The checks, one after the other, over one log and what was made of it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result};
use orderflow_database::Audit;
use orderflow_runner::processing::SnapshotStore;
use orderflow_schemas::{Lifecycle, Topic};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, partitions_of};

use super::{
    Report,
    ledger::{Rows, keep_ledger},
    orders::{SharedSorter, read_changes},
    parallel,
    processors::compare_processors,
    reach::Reach,
    sorter::{Sorted, Sorter},
    store::{compare_checkpoint, compare_history, compare_orders, compare_stock, tell_orders},
};

/// What verification may use besides the memory that processors need.
#[derive(Clone, Debug)]
pub struct Room {
    /// A folder for temporary files, about a hundred bytes for each change of an order. They have no names and are
    /// gone with the process.
    pub scratch: PathBuf,
    /// How many bytes of changes are sorted in memory. Default 32 MiB.
    pub sort_bytes: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { scratch: std::env::temp_dir(), sort_bytes: 32 << 20 }
    }
}

/// What is verified: a log that nobody writes to, and what was made of it.
pub struct Subject {
    /// The log.
    pub topics: Arc<dyn Topics>,
    /// Where the snapshots of its processors are.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// The rules that processors decide by.
    pub rules: Rules,
    /// The database, if there is one.
    pub audit: Option<Box<dyn Audit>>,
}

/// The rules that processors decided by. How many partitions there are, the log says.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The states of orders and the ways between them.
    pub lifecycle: Arc<Lifecycle>,
    /// How many idempotency keys a partition remembers.
    pub keys_max: usize,
    /// How many resolved reservations a partition of stock remembers.
    pub resolved_max: usize,
}

/// Verifies a log and what was made of it.
pub async fn run(subject: &Subject, room: &Room) -> Result<Report> {
    let mut report = Report::default();
    compare_processors(subject, &mut report).await?;
    compare_events(&subject.topics, subject.audit.as_deref(), room, &mut report).await?;
    Ok(report)
}

/// Checks events by themselves, and the database, if there is one, against them.
async fn compare_events(
    topics: &Arc<dyn Topics>,
    audit: Option<&dyn Audit>,
    room: &Room,
    report: &mut Report,
) -> Result<()> {
    let checkpoint = match audit {
        Some(audit) => audit.checkpoint().await?,
        None => Checkpoint::default(),
    };
    let orders_reach = Reach::of(&**topics, Topic::OrdersEvents, &checkpoint).await?;
    let stock_reach = Reach::of(&**topics, Topic::StockEvents, &checkpoint).await?;
    let checkpoint = Arc::new(checkpoint);
    let rows = read_stock(topics, &checkpoint, report).await?;
    let mut sorted = sort_orders(topics, &checkpoint, room, report).await.with_context(|| {
        let scratch = room.scratch.display();
        format!("orders cannot be sorted in {scratch}; --scratch names another folder")
    })?;
    let Some(audit) = audit else { return Ok(tell_orders(&mut sorted, &orders_reach, report)?) };
    compare_checkpoint(&**topics, &checkpoint, &mut report.differences).await?;
    compare_orders(audit, &mut sorted, &orders_reach, report).await?;
    compare_history(audit, &mut sorted, &orders_reach, report).await?;
    compare_stock(audit, rows, &stock_reach, report).await
}

async fn read_stock(
    topics: &Arc<dyn Topics>,
    checkpoint: &Arc<Checkpoint>,
    report: &mut Report,
) -> Result<Rows> {
    let jobs = partitions_of(&**topics, Topic::StockEvents)
        .map(|at| keep_ledger(topics.clone(), at, checkpoint.clone()));
    let mut all = Rows::new();
    for (rows, found) in parallel::all(jobs).await? {
        all.extend(rows);
        report.absorb(found);
    }
    Ok(all)
}

async fn sort_orders(
    topics: &Arc<dyn Topics>,
    checkpoint: &Arc<Checkpoint>,
    room: &Room,
    report: &mut Report,
) -> Result<Sorted> {
    let sorter: SharedSorter = Arc::new(Mutex::new(Sorter::new(&room.scratch, room.sort_bytes)));
    let jobs = partitions_of(&**topics, Topic::OrdersEvents)
        .map(|at| read_changes(topics.clone(), at, checkpoint.clone(), sorter.clone()));
    for found in parallel::all(jobs).await? {
        report.absorb(found);
    }
    let sorter = Arc::into_inner(sorter).expect("all jobs have ended");
    Ok(sorter.into_inner().unwrap_or_else(PoisonError::into_inner).finish()?)
}
