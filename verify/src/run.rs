//! Runs the checks one after the other over one log and everything derived from it.

use std::{io, path::PathBuf, sync::Arc};

use anyhow::{Context, Result};
use orderflow_runner::processing::SnapshotStore;
use orderflow_schemas::{Lifecycle, Topic};
use orderflow_sinks::Checkpoint;
use orderflow_topics::{Topics, partitions_of};

use super::{
    Report,
    entry::Entry,
    ledger::{Rows, keep_ledger},
    orders::{ExpectedOrders, OrderSorters, read_changes},
    parallel,
    processors::compare_processors,
    reach::Reach,
    returns::{Returns, check_returns},
    shipments::ShipmentMark,
    sorter::{SharedSorter, Sorted},
    store::{Expected, StoredContent, compare_checkpoint, compare_log},
};

/// Resources that verification may use besides the memory that processors need.
#[derive(Clone, Debug)]
pub struct Resources {
    /// A folder for temporary files: about a hundred bytes for each change of an order, and half as many for each event
    /// of a shipment and each line that is shipped or comes back. The files have no names and
    /// vanish with the process.
    pub scratch: PathBuf,
    /// How many bytes of changes, and how many of other entries, are sorted in memory. The default is 32 MiB.
    pub sort_bytes: usize,
}

impl Default for Resources {
    fn default() -> Self {
        Self { scratch: std::env::temp_dir(), sort_bytes: 32 << 20 }
    }
}

/// The subject of a verification: a log that nobody writes to, and everything derived from it.
pub struct Subject {
    /// The log to verify.
    pub topics: Arc<dyn Topics>,
    /// The store of the processors' snapshots.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// The rules that the log was decided by.
    pub rules: Rules,
    /// The stores that were filled from the log.
    pub stores: Vec<Box<dyn StoredContent>>,
}

/// The rules that the processors decided by. The numbers of partitions come from the log.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The states of orders and the transitions between them.
    pub lifecycle: Arc<Lifecycle>,
    /// How many idempotency keys of placed orders a partition remembers.
    pub keys_max: usize,
    /// How many idempotency keys of changes a partition remembers.
    pub change_keys_max: usize,
    /// How many resolved reservations a partition of stock remembers.
    pub resolved_max: usize,
}

/// Verifies a log and everything derived from it.
pub async fn run(subject: &Subject, resources: &Resources) -> Result<Report> {
    let mut report = Report::default();
    compare_processors(subject, &mut report).await?;
    compare_events(subject, resources, &mut report).await?;
    Ok(report)
}

/// Checks the events themselves, and each store against them.
async fn compare_events(subject: &Subject, resources: &Resources, report: &mut Report) -> Result<()> {
    let Subject { topics, stores, .. } = subject;
    if stores.is_empty() {
        let mut expected = expected_up_to(subject, Checkpoint::default(), resources, report).await?;
        return Ok(check_orders(&mut expected.orders, &expected.orders_reach, report)?);
    }
    for (nth, store) in stores.iter().enumerate() {
        let (name, checkpoint) = (store.name(), store.checkpoint().await?);
        compare_log(name, &topics.id(), store.log().await?.as_ref(), &mut report.differences);
        compare_checkpoint(name, &**topics, &checkpoint, &mut report.differences).await?;
        // Errors in the events are found with the first store. For further stores they are found again, and not
        // reported.
        let mut again = Report::default();
        let found = if nth == 0 { &mut *report } else { &mut again };
        let expected = expected_up_to(subject, checkpoint, resources, found).await?;
        store.compare(expected, report).await?;
    }
    Ok(())
}

/// The content that a store must have at this checkpoint, according to the log.
async fn expected_up_to(
    subject: &Subject,
    checkpoint: Checkpoint,
    resources: &Resources,
    report: &mut Report,
) -> Result<Expected> {
    let topics = &subject.topics;
    let orders_reach = Reach::of(&**topics, Topic::OrdersEvents, &checkpoint).await?;
    let stock_reach = Reach::of(&**topics, Topic::StockEvents, &checkpoint).await?;
    let checkpoint = Arc::new(checkpoint);
    let unsorted = || {
        let scratch = resources.scratch.display();
        format!("orders cannot be sorted in {scratch}; --scratch names another folder")
    };
    let stock =
        read_stock(subject, &checkpoint, &stock_reach, resources, report).await.with_context(unsorted)?;
    let (orders, shipments) =
        sort_orders(topics, &checkpoint, resources, report).await.with_context(unsorted)?;
    Ok(Expected { orders, shipments, orders_reach, stock, stock_reach })
}

/// Checks all orders of the log without a store to compare with.
fn check_orders(sorted: &mut Sorted<Entry>, reach: &Reach, report: &mut Report) -> io::Result<()> {
    let mut orders = ExpectedOrders::new(sorted.merge()?, reach);
    while orders.next(report)?.is_some() {}
    Ok(())
}

async fn read_stock(
    subject: &Subject,
    checkpoint: &Arc<Checkpoint>,
    reach: &Reach,
    resources: &Resources,
    report: &mut Report,
) -> Result<Rows> {
    let Subject { topics, rules, .. } = subject;
    let returns = if rules.lifecycle.takes_returns() {
        Returns::Taken(SharedSorter::new(&resources.scratch, resources.sort_bytes))
    } else {
        Returns::Never
    };
    let jobs = partitions_of(&**topics, Topic::StockEvents).map(|topic_partition| {
        keep_ledger(topics.clone(), topic_partition, checkpoint.clone(), returns.clone())
    });
    let mut all = Rows::new();
    for (rows, found) in parallel::all(jobs).await? {
        all.extend(rows);
        report.absorb(found);
    }
    if let Returns::Taken(sorter) = returns {
        check_returns(&mut sorter.finish()?, reach, report)?;
    }
    Ok(all)
}

async fn sort_orders(
    topics: &Arc<dyn Topics>,
    checkpoint: &Arc<Checkpoint>,
    resources: &Resources,
    report: &mut Report,
) -> Result<(Sorted<Entry>, Sorted<ShipmentMark>)> {
    let Resources { scratch, sort_bytes } = resources;
    let sorters = OrderSorters {
        changes: SharedSorter::new(scratch, *sort_bytes),
        shipments: SharedSorter::new(scratch, *sort_bytes),
    };
    let jobs = partitions_of(&**topics, Topic::OrdersEvents).map(|topic_partition| {
        read_changes(topics.clone(), topic_partition, checkpoint.clone(), sorters.clone())
    });
    for found in parallel::all(jobs).await? {
        report.absorb(found);
    }
    Ok((sorters.changes.finish()?, sorters.shipments.finish()?))
}
