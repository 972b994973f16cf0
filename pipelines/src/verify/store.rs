//! A store against the log: each row that should be there is, as it should be, and no other.
//!
//! Retention removes the beginnings of partitions. What a store has of them is counted as unchecked: nothing is left
//! that could tell whether it is as it should be.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use orderflow_schemas::{Header, Offset, OrderId, Partition, RawRecord, RoutingHash, Topic};
use orderflow_sinks::{
    Checkpoint,
    database::{Audit, StockItem},
};
use orderflow_topics::{Topics, Visibility, partitions_of};

use super::{
    Differences, Report,
    ledger::Ledger,
    orders::{OrderBook, digest, digest_change},
};

/// Compares the database with what the log gives up to its checkpoint.
pub(super) async fn compare(
    audit: &dyn Audit,
    topics: &dyn Topics,
    checkpoint: &Checkpoint,
    orders: OrderBook<'_>,
    ledger: Ledger<'_>,
    report: &mut Report,
) -> Result<()> {
    compare_checkpoint(topics, checkpoint, &mut report.differences).await?;
    let trimmed = Trimmed { partitions: &orders.trimmed, of: topics.partitions(Topic::OrdersEvents) };
    compare_orders(audit, &orders, &trimmed, report).await?;
    compare_history(audit, &orders, &trimmed, report).await?;
    compare_stock(audit, ledger, topics.partitions(Topic::StockEvents), report).await
}

/// The partitions of orders whose beginnings retention has removed.
struct Trimmed<'a> {
    partitions: &'a BTreeSet<Partition>,
    of: u16,
}

impl Trimmed<'_> {
    /// Whether the log may no longer tell of this order, or not of all its changes.
    fn hold(&self, id: OrderId) -> bool {
        self.partitions.contains(&id.partition(self.of))
    }
}

/// The checkpoint must stand in the log, behind the event whose number it has.
async fn compare_checkpoint(
    topics: &dyn Topics,
    checkpoint: &Checkpoint,
    differences: &mut Differences,
) -> Result<()> {
    for at in
        [Topic::OrdersEvents, Topic::StockEvents].into_iter().flat_map(|topic| partitions_of(topics, topic))
    {
        let (mark, bounds) = (checkpoint.mark(at), topics.bounds(at, Visibility::Accepted).await?);
        if mark.next > bounds.end {
            let (next, end) = (mark.next, bounds.end);
            differences
                .add(|| format!("the database's checkpoint of {at} is {next}, beyond the log's end {end}"));
            continue;
        }
        let Some(last) = mark.next.0.checked_sub(1).map(Offset).filter(|last| *last >= bounds.start) else {
            continue;
        };
        let chunk = topics.read(at, last, 1, Visibility::Accepted).await?;
        let Some(record) = chunk.records.first() else { continue };
        // An unreadable event has been found already.
        let Ok(RawRecord { header: Header { number, .. }, .. }) = RawRecord::decode(record) else {
            continue;
        };
        if mark.unreadable == 0 && number != mark.number {
            let had = mark.number;
            differences
                .add(|| format!("the database's checkpoint of {at} has number {had}, the log has {number}"));
        }
    }
    Ok(())
}

async fn compare_orders(
    audit: &dyn Audit,
    orders: &OrderBook<'_>,
    trimmed: &Trimmed<'_>,
    report: &mut Report,
) -> Result<()> {
    let mut seen = 0;
    let mut visit = |order: orderflow_schemas::Order| {
        let (id, version) = (order.id, order.version);
        let differences = &mut report.differences;
        match orders.shown.get(&id) {
            None if trimmed.hold(id) => report.unchecked += 1,
            None => differences.add(|| format!("the database has order {id}, the log has not")),
            Some(shown) => {
                seen += 1;
                if shown.version != version {
                    let should = shown.version;
                    differences
                        .add(|| format!("order {id}: the database has version {version}, the log {should}"));
                } else if shown.order != digest(&order) {
                    differences
                        .add(|| format!("order {id}: the database's row is not that of version {version}"));
                }
            }
        }
    };
    audit.for_each_order(&mut visit).await?;
    let missing = orders.shown.len() - seen;
    if missing > 0 {
        report.differences.add(|| format!("the database lacks {missing} orders that the log has"));
    }
    Ok(())
}

async fn compare_history(
    audit: &dyn Audit,
    orders: &OrderBook<'_>,
    trimmed: &Trimmed<'_>,
    report: &mut Report,
) -> Result<()> {
    let mut sums: HashMap<OrderId, u64> = HashMap::with_capacity(orders.shown.len());
    let mut visit = |entry: orderflow_sinks::database::HistoryEntry| {
        let sum = sums.entry(entry.order_id).or_default();
        *sum = sum.wrapping_add(digest_change(&entry));
    };
    audit.for_each_history(&mut visit).await?;
    for (id, shown) in &orders.shown {
        let there = sums.remove(id);
        if !shown.whole && trimmed.hold(*id) {
            report.unchecked += 1;
        } else if there != Some(shown.history) {
            report.differences.add(|| format!("order {id}: the database's history is not that of the log"));
        }
    }
    for id in sums.into_keys() {
        if trimmed.hold(id) {
            report.unchecked += 1;
        } else {
            report.differences.add(|| format!("the database has history of order {id}, the log has not"));
        }
    }
    Ok(())
}

async fn compare_stock(
    audit: &dyn Audit,
    mut ledger: Ledger<'_>,
    partitions: u16,
    report: &mut Report,
) -> Result<()> {
    let mut visit = |item: StockItem| {
        let sku = item.sku.clone();
        let trimmed = ledger.trimmed.contains(&RoutingHash::of(sku.as_str()).partition(partitions));
        match ledger.rows.remove(&sku) {
            None if trimmed => report.unchecked += 1,
            None => report.differences.add(|| format!("the database has SKU {sku}, the log has not")),
            Some(should) if should == item => {}
            Some(should) if trimmed && should == without_product(&item) => report.unchecked += 1,
            Some(should) => report
                .differences
                .add(|| format!("SKU {sku}: the database has {item:?}, the log gives {should:?}")),
        }
    };
    audit.for_each_stock(&mut visit).await?;
    for sku in ledger.rows.keys() {
        report.differences.add(|| format!("the database lacks SKU {sku}"));
    }
    Ok(())
}

/// The row as it follows from a log that no longer tells of the SKU's place in the catalogue.
fn without_product(item: &StockItem) -> StockItem {
    StockItem { name: None, unit_price: None, currency: None, ..item.clone() }
}
