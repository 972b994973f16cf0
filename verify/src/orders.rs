//! Turns the events of orders into entries to be sorted, and sorted entries into the orders that the store should
//! have.

use std::{io, sync::Arc};

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
    shipments::ShipmentMark,
    sorter::{Merge, SharedSorter},
};

/// The sorters that the checks of all partitions write to.
#[derive(Clone)]
pub(super) struct OrderSorters {
    pub(super) changes: SharedSorter<Entry>,
    pub(super) shipments: SharedSorter<ShipmentMark>,
}

/// Puts all changes of orders and all events of shipments in a partition of events into the sorters.
pub(super) async fn read_changes(
    topics: Arc<dyn Topics>,
    at: TopicPartition,
    checkpoint: Arc<Checkpoint>,
    sorters: OrderSorters,
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
        let Some(cause) = &record.header.cause else {
            differences.add(|| format!("{at} offset {offset}: an event without a cause"));
            continue;
        };
        let is_shown = offset < shown;
        let entry = entry_of(offset, cause.offset, &record.data);
        let shipment = ShipmentMark::of(offset, &record, is_shown);
        if let Some(id) = entry.map(|entry| entry.id).or(shipment.map(|shipment| shipment.id))
            && id.partition(partitions) != at.partition
        {
            differences.add(|| format!("{at} offset {offset}: order {id} belongs to another partition"));
            continue;
        }
        if let Some(entry) = entry {
            sorters.changes.push(Entry { shown: is_shown && !entry.hidden, ..entry })?;
        }
        if let Some(shipment) = shipment {
            sorters.shipments.push(shipment)?;
        }
        report.lag += u64::from(!is_shown);
    }
    Ok(report)
}

/// The entry of an event; `None` if no order came to be, changed or was declined.
fn entry_of(offset: Offset, cause: Offset, event: &OrderEvent) -> Option<Entry> {
    match event {
        OrderEvent::Changed(change, changed) => {
            let row = history_row(*change, changed, cause);
            Some(Entry::of(offset, changed, &row, *change == Change::Created))
        }
        OrderEvent::Requested(requested) => Some(Entry::hidden(requested.order.id, offset)),
        OrderEvent::Declined(declined) => Some(Entry::hidden(declined.order_id, offset)),
        _ => None,
    }
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
    /// Whether the log has the order's first event.
    pub(super) is_whole: bool,
}

/// The orders that follow from sorted entries. It also checks every order's versions: they count 1, 2, 3 …, and each
/// change starts from the state before it. An order may be requested before it is created, and may be declined instead.
/// If the partition's beginning is gone, the first version of an order may be any.
pub(super) struct ExpectedOrders<'a> {
    entries: Merge<'a, Entry>,
    reach: &'a Reach,
}

impl<'a> ExpectedOrders<'a> {
    pub(super) fn new(entries: Merge<'a, Entry>, reach: &'a Reach) -> Self {
        Self { entries, reach }
    }

    /// The next order, by id; `None` at the end.
    pub(super) fn next(&mut self, report: &mut Report) -> io::Result<Option<ExpectedOrder>> {
        let Some(first) = self.entries.next().transpose()? else { return Ok(None) };
        let is_whole = first.hidden || begins(&first);
        let fits = is_whole || (!first.created && self.reach.is_trimmed(first.id));
        self.check(fits, 0, &first, report);
        let mut expected = ExpectedOrder { id: first.id, shown: None, is_whole };
        let mut last = first;
        loop {
            if last.shown {
                expected.shown = Some((last.version, last.order));
            }
            if self.entries.peek().is_none_or(|next| next.id != last.id) {
                break;
            }
            let Some(next) = self.entries.next().transpose()? else { break };
            let fits = follows(&last, &next);
            self.check(fits, last.version, &next, report);
            last = next;
        }
        report.orders += u64::from(!last.hidden);
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

/// Whether the change creates an order.
fn begins(entry: &Entry) -> bool {
    entry.created && entry.version == 1 && entry.from == 0
}

/// Whether a change can be the next one after another.
fn follows(last: &Entry, next: &Entry) -> bool {
    if last.hidden {
        return next.hidden || begins(next);
    }
    !next.created && !next.hidden && next.version == last.version + 1 && next.from == last.status
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::Topic;
    use uuid::Uuid;

    use super::*;

    const CREATED: u64 = 11;
    const SENT: u64 = 12;

    fn id(order: u128) -> OrderId {
        OrderId::from_uuid(Uuid::from_u128(order))
    }

    fn hidden(order: u128, offset: u64) -> Entry {
        Entry::hidden(id(order), Offset(offset))
    }

    fn changed(order: u128, offset: u64, version: u64) -> Entry {
        let created = version == 1;
        let (status, from) = if created { (CREATED, 0) } else { (SENT, CREATED) };
        let (order_after, change) = (version, version);
        let (id, offset, order) = (id(order), Offset(offset), order_after);
        Entry { id, offset, version, order, change, status, from, created, hidden: false, shown: true }
    }

    /// The orders of these entries in a log that begins at `start`: id, version shown, and whether they are whole.
    fn orders(entries: &[Entry], start: u64) -> (Vec<(OrderId, Option<u64>, bool)>, Report) {
        let scratch = tempfile::tempdir().unwrap();
        let sorter = SharedSorter::new(scratch.path(), 1);
        entries.iter().for_each(|entry| sorter.push(*entry).unwrap());
        let (mut sorted, mut report) = (sorter.finish().unwrap(), Report::default());
        let reach = Reach::of_one(Topic::OrdersEvents, start..99);
        let (mut expected, mut found) = (ExpectedOrders::new(sorted.merge().unwrap(), &reach), Vec::new());
        while let Some(order) = expected.next(&mut report).unwrap() {
            found.push((order.id, order.shown.map(|(version, _)| version), order.is_whole));
        }
        (found, report)
    }

    #[test]
    fn an_order_is_shown_once_it_is_created() {
        let entries =
            [hidden(1, 1), changed(1, 4, 1), changed(1, 5, 2), hidden(2, 2), hidden(2, 6), hidden(3, 7)];
        let (found, report) = orders(&entries, 0);
        assert_eq!(found, [(id(1), Some(2), true), (id(2), None, true), (id(3), None, true)]);
        assert_eq!((report.orders, report.differences.count()), (1, 0), "only one order came to be");
    }

    #[test]
    fn a_gap_is_a_difference_unless_it_is_before_the_log() {
        let (found, report) = orders(&[changed(1, 5, 2)], 4);
        assert_eq!((found, report.differences.count()), (vec![(id(1), Some(2), false)], 0));
        for wrong in [
            vec![changed(1, 5, 2)],
            vec![hidden(1, 3), changed(1, 5, 2)],
            vec![changed(1, 3, 1), hidden(1, 5)],
            vec![changed(1, 3, 1), changed(1, 4, 1)],
        ] {
            assert_eq!(orders(&wrong, 0).1.differences.count(), 1, "{wrong:?}");
        }
    }
}
