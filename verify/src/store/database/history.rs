//! Compares the history of orders in the database with the changes in the log.

use std::io;

use anyhow::Result;
use orderflow_database::{DatabaseAudit, HistoryEntry};
use orderflow_schemas::OrderId;

use crate::{
    Report,
    entry::{Entry, digest_change},
    reach::Reach,
    sorter::{Merge, Sorted},
};

/// Compares the rows of the history.
pub(crate) async fn compare_history(
    audit: &dyn DatabaseAudit,
    sorted: &mut Sorted<Entry>,
    reach: &Reach,
    report: &mut Report,
) -> Result<()> {
    let mut walk = Walk { entries: sorted.merge()?, reach, last: None, report };
    let mut went = Ok(());
    let mut visit = |row: HistoryEntry| {
        if went.is_ok() {
            went = walk.meet(&row);
        }
    };
    audit.for_each_history(&mut visit).await?;
    went?;
    while let Some(entry) = walk.next()? {
        walk.miss(&entry);
    }
    Ok(())
}

/// Walks through both sides in the order of ids and versions.
struct Walk<'a> {
    entries: Merge<'a, Entry>,
    reach: &'a Reach,
    /// The last order of which the log had a change.
    last: Option<OrderId>,
    report: &'a mut Report,
}

impl Walk<'_> {
    /// The next change that the store should show.
    fn next(&mut self) -> io::Result<Option<Entry>> {
        while let Some(entry) = self.entries.next().transpose()? {
            self.last = Some(entry.id);
            if entry.shown {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }

    /// Compares the next row of the store.
    fn meet(&mut self, row: &HistoryEntry) -> io::Result<()> {
        let key = (row.order_id, row.version);
        while self.entries.peek().is_some_and(|entry| (entry.id, entry.version) < key) {
            let Some(entry) = self.entries.next().transpose()? else { break };
            self.last = Some(entry.id);
            if entry.shown {
                self.miss(&entry);
            }
        }
        let there = self.entries.peek().filter(|entry| (entry.id, entry.version) == key && entry.shown);
        let Some(entry) = there.copied() else {
            self.surplus(row);
            return Ok(());
        };
        if entry.change != digest_change(row) {
            let (id, version) = key;
            self.report.differences.add(|| {
                format!("order {id}: version {version} of the database's history is not that of the log")
            });
        }
        self.last = Some(entry.id);
        self.entries.next().transpose()?;
        Ok(())
    }

    fn miss(&mut self, entry: &Entry) {
        let Entry { id, version, .. } = *entry;
        self.report
            .differences
            .add(|| format!("order {id}: the database's history lacks version {version}, the log has it"));
    }

    /// Handles a row that the log does not have. If retention removed the beginning, the row may be older than the
    /// rest of the log, as long as the log has had no change of the order so far. If the store is ahead, the row may
    /// be newer than the log.
    fn surplus(&mut self, row: &HistoryEntry) {
        let (id, version) = (row.order_id, row.version);
        let whole = self.entries.peek().is_some_and(|entry| entry.id == id && entry.created);
        let before = self.last != Some(id) && !whole;
        if (self.reach.is_trimmed(id) && before) || self.reach.is_ahead(id) {
            self.report.unchecked += 1;
        } else {
            self.report
                .differences
                .add(|| format!("order {id}: the database's history has version {version}, the log has not"));
        }
    }
}
