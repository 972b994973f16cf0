//! What every order must look like at the database's checkpoint, as digests.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use orderflow_schemas::{
    Offset, Order, OrderEvent, OrderId, Partition, Record, Status, TopicPartition,
    events::{Change, OrderChanged},
};
use orderflow_sinks::{Checkpoint, database::HistoryEntry};
use orderflow_topics::Topics;
use xxhash_rust::xxh3::xxh3_64;

use super::{Report, records::Records};

/// An order as the database should have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) version: u64,
    pub(super) order: u64,
    /// The sum of the digests of its history.
    pub(super) history: u64,
    /// Whether the log still tells of its beginning, so that its history is all there.
    pub(super) whole: bool,
}

struct Latest {
    version: u64,
    status: Status,
}

/// All orders.
pub(super) struct OrderBook<'a> {
    checkpoint: &'a Checkpoint,
    latest: HashMap<OrderId, Latest>,
    /// The partitions whose beginnings retention has removed.
    pub(super) trimmed: BTreeSet<Partition>,
    pub(super) shown: HashMap<OrderId, Shown>,
}

/// A digest of an order.
pub(super) fn digest(order: &Order) -> u64 {
    xxh3_64(&serde_json::to_vec(order).expect("an order has string keys"))
}

/// A digest of a change.
pub(super) fn digest_change(entry: &HistoryEntry) -> u64 {
    xxh3_64(&serde_json::to_vec(entry).expect("a change has string keys"))
}

impl<'a> OrderBook<'a> {
    pub(super) fn new(checkpoint: &'a Checkpoint) -> Self {
        Self { checkpoint, latest: HashMap::new(), trimmed: BTreeSet::new(), shown: HashMap::new() }
    }

    pub(super) fn len(&self) -> u64 {
        self.latest.len() as u64
    }

    /// Takes in all events of a partition.
    pub(super) async fn read(
        &mut self,
        topics: &dyn Topics,
        at: TopicPartition,
        report: &mut Report,
    ) -> Result<()> {
        let shown = self.checkpoint.mark(at).next;
        let (mut records, mut number) = (Records::new(topics, at, Offset::ZERO).await?, 0);
        if records.trimmed {
            self.trimmed.insert(at.partition);
        }
        while let Some((offset, record)) = records.next().await? {
            let record = match Record::<OrderEvent>::decode(&record) {
                Ok(record) => record,
                Err(error) => {
                    report.differences.add(|| format!("{at} offset {offset}: unreadable event: {error}"));
                    continue;
                }
            };
            if record.header.number <= number {
                continue;
            }
            number = record.header.number;
            report.lag += u64::from(offset >= shown);
            let Some(cause) = record.header.cause else {
                report.differences.add(|| format!("{at} offset {offset}: an event without a cause"));
                continue;
            };
            if let OrderEvent::Changed(change, changed) = record.data {
                self.follow(at, offset, change, &changed, report);
                if offset < shown {
                    self.show(change, &changed, cause.offset);
                }
            }
        }
        Ok(())
    }

    /// Versions count 1, 2, 3 … and each change goes on from the state before. Where the partition's beginning is
    /// gone, an order may be met at any version.
    fn follow(
        &mut self,
        at: TopicPartition,
        offset: Offset,
        change: Change,
        changed: &OrderChanged,
        report: &mut Report,
    ) {
        let order = &changed.order;
        let now = Latest { version: order.version, status: order.status.clone() };
        let before = self.latest.insert(order.id, now);
        let fits = match &before {
            None if change != Change::Created => self.trimmed.contains(&at.partition),
            None => order.version == 1 && changed.from.is_none(),
            Some(before) => {
                change != Change::Created
                    && order.version == before.version + 1
                    && changed.from.as_ref() == Some(&before.status)
            }
        };
        if !fits {
            report.differences.add(|| {
                let before = before.map_or(0, |before| before.version);
                format!(
                    "{at} offset {offset}: order {} goes from version {before} to {}",
                    order.id, order.version
                )
            });
        }
    }

    fn show(&mut self, change: Change, changed: &OrderChanged, cause: Offset) {
        let order = &changed.order;
        let entry = HistoryEntry {
            order_id: order.id,
            version: order.version,
            change,
            status: order.status.clone(),
            from: changed.from.clone(),
            at: order.updated_at,
            by: changed.by.clone(),
            reason: changed.reason.clone(),
            cause,
        };
        let shown = self
            .shown
            .entry(order.id)
            .or_insert_with(|| Shown { whole: change == Change::Created, ..Shown::default() });
        shown.version = order.version;
        shown.order = digest(order);
        shown.history = shown.history.wrapping_add(digest_change(&entry));
    }
}
