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

#[cfg(test)]
mod tests {
    use orderflow_schemas::{Actor, Offset, OrderId, ShipmentEvent, ShipmentStatus, Timestamp, Topic};
    use uuid::Uuid;

    use super::*;
    use crate::sorter::SharedSorter;

    fn row(order: u128, offset: u64, status: ShipmentStatus) -> ShipmentEntry {
        let (carrier, tracking_number, location) = (None, None, None);
        let (occurred_at, event_id) = (None, None);
        ShipmentEntry {
            order_id: OrderId::from_uuid(Uuid::from_u128(order)),
            offset: Offset(offset),
            at: Timestamp::from_micros(7),
            by: Actor::SYSTEM,
            event: ShipmentEvent { status, carrier, tracking_number, location, occurred_at, event_id },
        }
    }

    fn delivered(order: u128, offset: u64) -> ShipmentEntry {
        row(order, offset, ShipmentStatus::Delivered)
    }

    /// Compares the rows with a log that begins at `start`, has these events, and is shown up to offset 10.
    fn compare(log: &[ShipmentEntry], start: u64, rows: &[ShipmentEntry]) -> Report {
        let scratch = tempfile::tempdir().unwrap();
        let sorter = SharedSorter::new(scratch.path(), 1);
        for row in log {
            let (id, offset) = (row.order_id, row.offset);
            sorter
                .push(ShipmentMark { id, offset, digest: digest(row), shown: offset < Offset(10) })
                .unwrap();
        }
        let (mut sorted, mut report) = (sorter.finish().unwrap(), Report::default());
        let reach = Reach::of_one(Topic::OrdersEvents, start..20);
        let mut walk = Walk { marks: sorted.merge().unwrap(), reach: &reach, report: &mut report };
        rows.iter().for_each(|row| walk.meet(row).unwrap());
        while let Some(mark) = walk.marks.next() {
            walk.miss(&mark.unwrap());
        }
        report
    }

    #[test]
    fn what_is_shown_is_compared_row_by_row() {
        let log = [delivered(2, 3), delivered(1, 5), delivered(1, 2), delivered(2, 12)];
        let rows = [delivered(1, 2), delivered(1, 5), delivered(2, 3)];
        assert_eq!(compare(&log, 0, &rows), Report::default());
        for wrong in [
            vec![delivered(1, 2), delivered(2, 3)],
            vec![delivered(1, 2), row(1, 5, ShipmentStatus::Returned), delivered(2, 3)],
            vec![delivered(1, 1), delivered(1, 2), delivered(1, 5), delivered(2, 3)],
            // Of the log, but not shown according to the checkpoint.
            vec![delivered(1, 2), delivered(1, 5), delivered(2, 3), delivered(2, 12)],
        ] {
            assert_eq!(compare(&log, 0, &wrong).differences.count(), 1, "{wrong:?}");
        }
    }

    #[test]
    fn rows_from_before_the_log_are_unchecked_and_later_ones_are_not() {
        let log = [delivered(1, 5)];
        let report = compare(&log, 4, &[delivered(1, 3), delivered(1, 5), delivered(2, 1)]);
        assert_eq!((report.unchecked, report.differences.count()), (2, 0));
        let report = compare(&log, 4, &[delivered(1, 5), delivered(2, 6)]);
        assert_eq!((report.unchecked, report.differences.count()), (0, 1));
    }
}
