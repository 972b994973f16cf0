//! Compares the rows of orders in the database with the orders in the log.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
};

use anyhow::Result;
use orderflow_database::DatabaseAudit;
use orderflow_schemas::{Order, OrderId, Status};

use crate::{
    Differences, Report,
    entry::{Entry, digest},
    orders::{ExpectedOrder, ExpectedOrders},
    reach::Reach,
    sorter::Sorted,
};

/// The number of orders by status.
type Counts = BTreeMap<Status, u64>;

/// Compares the rows of orders, and the counters with the rows.
pub(crate) async fn compare_orders(
    audit: &dyn DatabaseAudit,
    sorted: &mut Sorted<Entry>,
    reach: &Reach,
    report: &mut Report,
) -> Result<()> {
    let orders = ExpectedOrders::new(sorted.merge()?, reach);
    let mut walk =
        Walk { orders, reach, next: None, missing: 0, first_missing: None, counts: Counts::new(), report };
    walk.next = walk.orders.next(walk.report)?;
    let mut went = Ok(());
    let mut visit = |order: Order| {
        if went.is_ok() {
            went = walk.meet(&order);
        }
    };
    audit.for_each_order(&mut visit).await?;
    went?;
    let counts = walk.finish()?;
    compare_counts(&counts, &audit.order_counts().await?, &mut report.differences);
    Ok(())
}

/// Walks through both sides in the order of ids.
struct Walk<'a> {
    orders: ExpectedOrders<'a>,
    reach: &'a Reach,
    next: Option<ExpectedOrder>,
    missing: u64,
    first_missing: Option<OrderId>,
    /// The number of rows by status.
    counts: Counts,
    report: &'a mut Report,
}

impl Walk<'_> {
    fn step(&mut self) -> io::Result<()> {
        self.next = self.orders.next(self.report)?;
        Ok(())
    }

    /// Compares the next row of the store.
    fn meet(&mut self, order: &Order) -> io::Result<()> {
        *self.counts.entry(order.status.clone()).or_default() += 1;
        while let Some(expected) = self.next.filter(|expected| expected.id < order.id) {
            self.miss(expected);
            self.step()?;
        }
        match self.next {
            Some(expected) if expected.id == order.id => {
                self.compare(expected, order);
                self.step()
            }
            _ => {
                self.compare(ExpectedOrder { id: order.id, shown: None, is_whole: false }, order);
                Ok(())
            }
        }
    }

    fn miss(&mut self, expected: ExpectedOrder) {
        if expected.shown.is_some() {
            self.missing += 1;
            self.first_missing.get_or_insert(expected.id);
        }
    }

    fn compare(&mut self, expected: ExpectedOrder, order: &Order) {
        let (id, version) = (order.id, order.version);
        let trimmed = self.reach.is_trimmed(id) && !expected.is_whole;
        let ahead = self.reach.is_ahead(id);
        let Report { unchecked, differences, .. } = &mut *self.report;
        match expected.shown {
            None if trimmed || ahead => *unchecked += 1,
            None => differences.add(|| format!("the database has order {id}, the log has not")),
            Some((should, _)) if ahead && version > should => *unchecked += 1,
            Some((should, _)) if should != version => differences
                .add(|| format!("order {id}: the database has version {version}, the log {should}")),
            Some((_, should)) if should != digest(order) => {
                differences.add(|| format!("order {id}: the database's row is not that of version {version}"))
            }
            Some(_) => {}
        }
    }

    /// Handles the orders of the log after the last row, and returns the counts of rows.
    fn finish(mut self) -> io::Result<Counts> {
        while let Some(expected) = self.next {
            self.miss(expected);
            self.step()?;
        }
        if let Some(first) = self.first_missing {
            let missing = self.missing;
            self.report.differences.add(|| {
                format!("the database lacks {missing} orders that the log has, the first is order {first}")
            });
        }
        Ok(self.counts)
    }
}

/// The store's counters must equal its numbers of rows.
fn compare_counts(rows: &Counts, counters: &Counts, differences: &mut Differences) {
    let statuses: BTreeSet<_> = rows.keys().chain(counters.keys()).collect();
    for status in statuses {
        let [rows, counter] = [rows, counters].map(|counts| counts.get(status).copied().unwrap_or(0));
        if rows != counter {
            differences.add(|| format!("the database counts {counter} orders in {status}, and has {rows}"));
        }
    }
}
