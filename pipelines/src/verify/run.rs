//! The checks, one after the other, over one data directory.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context, Result, ensure};
use orderflow_schemas::Topic;
use orderflow_sinks::{Checkpoint, database::Audit};
use orderflow_topics::{
    EmbeddedLog, Topics,
    embedded::{self, OpenError},
    partitions_of,
};

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
use crate::{database, settings::Settings};

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

/// Verifies a data directory whose log was written under these settings.
pub async fn run(settings: &Settings, room: &Room) -> Result<Report> {
    let topics = open_log(settings)?;
    let audit = database::open_audit(&settings.database, &settings.data)
        .await
        .context("the database cannot be opened")?;
    let mut report = Report::default();
    compare_processors(&topics, settings, &mut report).await?;
    compare_events(&topics, audit.as_deref(), room, &mut report).await?;
    Ok(report)
}

fn open_log(settings: &Settings) -> Result<Arc<dyn Topics>> {
    let (data, folder) = (&settings.data, settings.data.join("log"));
    ensure!(folder.is_dir(), "{} holds no log; name the data directory with --data", data.display());
    let (log, opened) = match EmbeddedLog::open_read_only(folder, embedded::Settings::default()) {
        Err(error @ OpenError::Damaged { .. }) => {
            return Err(anyhow::Error::new(error).context(
                "the log cannot be verified (if this is a copy of a running server's directory, see `orderflow verify \
                 --help` for the order in which to copy)",
            ));
        }
        opened => opened?,
    };
    if let Some(cut) = opened.cut {
        tracing::info!(bytes = cut.bytes, "a torn tail, of what was never acknowledged, is left out");
    }
    Ok(Arc::new(log))
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
