//! Turns the events of orders into entries to be sorted, and sorted entries into the orders that the store should
//! have.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use orderflow_database::HistoryEntry;
use orderflow_schemas::{
    Offset, OrderEvent, OrderId, Record, TopicPartition,
    events::{Change, OrderChanged},
};
use orderflow_sinks::Checkpoint;
use orderflow_topics::Topics;

use super::{
    Report,
    entry::Entry,
    reach::Reach,
    records::Records,
    sorter::{Merge, Sorter},
};

/// The sorter that the checks of all partitions write to.
pub(super) type SharedSorter = Arc<Mutex<Sorter>>;

/// Puts all changes of orders in a partition of events into the sorter.
pub(super) async fn read_changes(
    topics: Arc<dyn Topics>,
    at: TopicPartition,
    checkpoint: Arc<Checkpoint>,
    sorter: SharedSorter,
) -> Result<Report> {
    let (mut report, shown) = (Report::default(), checkpoint.partition(at).next);
    let partitions = topics.partitions(at.topic);
    let (mut records, mut number) = (Records::new(topics, at, Offset::ZERO).await?, 0);
    while let Some((offset, record)) = records.next().await? {
        let differences = &mut report.differences;
        let record = match Record::<OrderEvent>::decode(&record) {
            Ok(record) => record,
            Err(error) => {
                differences.add(|| format!("{at} offset {offset}: unreadable event: {error}"));
                continue;
            }
        };
        if record.header.number <= number {
            continue;
        }
        number = record.header.number;
        let Some(cause) = record.header.cause else {
            differences.add(|| format!("{at} offset {offset}: an event without a cause"));
            continue;
        };
        if let OrderEvent::Changed(change, changed) = &record.data {
            let id = changed.order.id;
            if id.partition(partitions) != at.partition {
                differences.add(|| format!("{at} offset {offset}: order {id} belongs to another partition"));
                continue;
            }
            let row = history_row(*change, changed, cause.offset);
            let created = *change == Change::Created;
            let entry = Entry { shown: offset < shown, ..Entry::of(offset, changed, &row, created) };
            sorter.lock().unwrap_or_else(PoisonError::into_inner).push(entry)?;
        }
        report.lag += u64::from(offset >= shown);
    }
    Ok(report)
}

/// The row of the history that an event leads to.
fn history_row(change: Change, changed: &OrderChanged, cause: Offset) -> HistoryEntry {
    let order = &changed.order;
    HistoryEntry {
        order_id: order.id,
        version: order.version,
        change,
        status: order.status.clone(),
        from: changed.from.clone(),
        at: order.updated_at,
        by: changed.by.clone(),
        reason: changed.reason.clone(),
        cause,
    }
}

/// An order as the log has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpectedOrder {
    pub(super) id: OrderId,
    /// The version and the digest of the order that the store should have; `None` if it should not show the order
    /// yet.
    pub(super) shown: Option<(u64, u64)>,
}

/// The orders that follow from sorted entries. It also checks every order's versions: they count 1, 2, 3 …, and each
/// change starts from the state before it. If the partition's beginning is gone, the first version of an order may be
/// any.
pub(super) struct ExpectedOrders<'a> {
    entries: Merge<'a>,
    reach: &'a Reach,
}

impl<'a> ExpectedOrders<'a> {
    pub(super) fn new(entries: Merge<'a>, reach: &'a Reach) -> Self {
        Self { entries, reach }
    }

    /// The next order, by id; `None` at the end.
    pub(super) fn next(&mut self, report: &mut Report) -> io::Result<Option<ExpectedOrder>> {
        let Some(first) = self.entries.next().transpose()? else { return Ok(None) };
        let fits = (first.created && first.version == 1 && first.from == 0)
            || (!first.created && self.reach.is_trimmed(first.id));
        self.check(fits, 0, &first, report);
        let mut expected = ExpectedOrder { id: first.id, shown: None };
        let mut last = first;
        loop {
            if last.shown {
                expected.shown = Some((last.version, last.order));
            }
            if self.entries.peek().is_none_or(|next| next.id != last.id) {
                break;
            }
            let Some(next) = self.entries.next().transpose()? else { break };
            let fits = !next.created && next.version == last.version + 1 && next.from == last.status;
            self.check(fits, last.version, &next, report);
            last = next;
        }
        report.orders += 1;
        Ok(Some(expected))
    }

    fn check(&self, fits: bool, before: u64, entry: &Entry, report: &mut Report) {
        if fits {
            return;
        }
        let (at, Entry { id, offset, version, .. }) = (self.reach.place(entry.id), entry);
        report
            .differences
            .add(|| format!("{at} offset {offset}: order {id} goes from version {before} to {version}"));
    }
}
