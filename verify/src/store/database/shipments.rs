//! Compares the events of shipments in the database with those in the log.

use std::io;

use anyhow::Result;
use orderflow_database::{DatabaseAudit, ShipmentEntry};

use crate::{
    Report,
    reach::Reach,
    shipments::{ShipmentMark, digest},
    sorter::{Merge, Sorted},
};

/// Compares the rows of shipments.
pub(crate) async fn compare_shipments(
    audit: &dyn DatabaseAudit,
    sorted: &mut Sorted<ShipmentMark>,
    reach: &Reach,
    report: &mut Report,
) -> Result<()> {
    let mut walk = Walk { marks: sorted.merge()?, reach, report };
    let mut went = Ok(());
    let mut visit = |row: ShipmentEntry| {
        if went.is_ok() {
            went = walk.meet(&row);
        }
    };
    audit.for_each_shipment(&mut visit).await?;
    went?;
    while let Some(mark) = walk.marks.next().transpose()? {
        walk.miss(&mark);
    }
    Ok(())
}

/// Walks through both sides in the order of ids and offsets.
struct Walk<'a> {
    marks: Merge<'a, ShipmentMark>,
    reach: &'a Reach,
    report: &'a mut Report,
}

impl Walk<'_> {
    /// Compares the next row of the store.
    fn meet(&mut self, row: &ShipmentEntry) -> io::Result<()> {
        let key = (row.order_id, row.offset);
        while let Some(mark) = self.marks.peek().copied().filter(|mark| (mark.id, mark.offset) <= key) {
            self.marks.next().transpose()?;
            if (mark.id, mark.offset) == key && mark.shown {
                self.compare(&mark, row);
                return Ok(());
            }
            self.miss(&mark);
        }
        self.surplus(row);
        Ok(())
    }

    fn compare(&mut self, mark: &ShipmentMark, row: &ShipmentEntry) {
        if mark.digest != digest(row) {
            let ShipmentMark { id, offset, .. } = mark;
            self.report.differences.add(|| {
                format!("order {id}: the database's shipment event of offset {offset} is not that of the log")
            });
        }
    }

    /// Handles an event of the log that the database does not have.
    fn miss(&mut self, mark: &ShipmentMark) {
        let ShipmentMark { id, offset, shown, .. } = mark;
        if *shown {
            self.report.differences.add(|| {
                format!(
                    "order {id}: the database lacks the shipment event of offset {offset}, the log has it"
                )
            });
        }
    }

    /// Handles a row that the log does not have. Offsets that retention has removed, and those beyond the end of a log
    /// that is behind the store, cannot be compared.
    fn surplus(&mut self, row: &ShipmentEntry) {
        let (id, offset) = (row.order_id, row.offset);
        if !self.reach.has(id, offset) && (self.reach.is_trimmed(id) || self.reach.is_ahead(id)) {
            self.report.unchecked += 1;
        } else {
            self.report.differences.add(|| {
                format!("order {id}: the database has a shipment event of offset {offset}, the log has not")
            });
        }
    }
}
