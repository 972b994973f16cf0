//! Checks that no more units of a SKU come back from an order than were shipped for it.
//!
//! An order may be shipped months before it comes back, so the units of all orders do not fit into memory. They are
//! sorted by order and SKU on disk, and each order is then checked by itself.

use std::io::{self, Read, Write};

use orderflow_schemas::{Offset, OrderId, Partition, Sku, StockEvent, TopicPartition};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::{
    Report,
    reach::Reach,
    sorter::{SharedSorter, Sortable, Sorted},
};

/// The size of a movement in a file, in bytes.
const MOVEMENT_BYTES: usize = 16 + 2 * 8 + 4 + 2 + 1;

/// Units of a SKU that were shipped for an order or came back from it. Movements are ordered by order id, then by SKU,
/// then by offset. A SKU has one partition, so its offsets tell what came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitsMoved {
    id: OrderId,
    /// The digest of the SKU.
    sku: u64,
    offset: Offset,
    partition: Partition,
    units: u32,
    is_return: bool,
}

/// What a lifecycle says about returns.
#[derive(Clone, Debug)]
pub(super) enum Returns {
    /// No order is returned.
    Never,
    /// Orders can be returned. The sorter collects what is shipped and what comes back.
    Taken(SharedSorter<UnitsMoved>),
}

impl Returns {
    /// Notes the units that an event ships or takes back. `trimmed` says whether retention has removed the beginning of
    /// the partition, where orders may have followed another lifecycle.
    pub(super) fn note(
        &self,
        at: TopicPartition,
        offset: Offset,
        event: &StockEvent,
        trimmed: bool,
        report: &mut Report,
    ) -> io::Result<()> {
        let moved = |id: OrderId, sku: &Sku, units: u32, is_return: bool| UnitsMoved {
            id,
            sku: xxh3_64(sku.as_str().as_bytes()),
            offset,
            partition: at.partition,
            units,
            is_return,
        };
        match (self, event) {
            (Self::Taken(sorter), StockEvent::Shipped(event)) => {
                let mut lines = event.lines.iter();
                lines.try_for_each(|line| sorter.push(moved(event.order_id, &line.sku, line.quantity, false)))
            }
            (Self::Taken(sorter), StockEvent::Returned(event)) => {
                let mut lines = event.lines.iter();
                lines.try_for_each(|line| sorter.push(moved(event.order_id, &line.sku, line.quantity, true)))
            }
            (Self::Never, StockEvent::Returned(event)) if !trimmed => {
                let id = event.order_id;
                report.differences.add(|| {
                    format!(
                        "{at} offset {offset}: order {id} is returned, and the lifecycle takes no returns"
                    )
                });
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Checks each order and SKU. Where retention has removed the beginning of a partition, the shipping may be among it.
pub(super) fn check_returns(
    sorted: &mut Sorted<UnitsMoved>,
    reach: &Reach,
    report: &mut Report,
) -> io::Result<()> {
    let (mut last, mut out) = (None, 0u64);
    for moved in sorted.merge()? {
        let moved = moved?;
        let (key, units) = ((moved.id, moved.sku), u64::from(moved.units));
        if last != Some(key) {
            (last, out) = (Some(key), 0);
        }
        if !moved.is_return {
            out += units;
            continue;
        }
        let left = out.checked_sub(units);
        if left.is_none() && !reach.is_trimmed_in(moved.partition) {
            let UnitsMoved { id, offset, partition, .. } = moved;
            let at = reach.partition(partition);
            report.differences.add(|| {
                format!("{at} offset {offset}: order {id} returns {units} units of a SKU, and {out} are left of those shipped")
            });
        }
        out = left.unwrap_or(0);
    }
    Ok(())
}

impl Sortable for UnitsMoved {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut bytes = [0; MOVEMENT_BYTES];
        bytes[..16].copy_from_slice(self.id.as_uuid().as_bytes());
        bytes[16..24].copy_from_slice(&self.sku.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.offset.0.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.units.to_le_bytes());
        bytes[36..38].copy_from_slice(&self.partition.0.to_le_bytes());
        bytes[38] = u8::from(self.is_return);
        out.write_all(&bytes)
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; MOVEMENT_BYTES];
        input.read_exact(&mut bytes)?;
        let number = |at: usize| u64::from_le_bytes(bytes[at..][..8].try_into().expect("eight bytes"));
        let id = Uuid::from_bytes(bytes[..16].try_into().expect("sixteen bytes"));
        Ok(Self {
            id: OrderId::from_uuid(id),
            sku: number(16),
            offset: Offset(number(24)),
            units: u32::from_le_bytes(bytes[32..36].try_into().expect("four bytes")),
            partition: Partition(u16::from_le_bytes(bytes[36..38].try_into().expect("two bytes"))),
            is_return: bytes[38] != 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use orderflow_schemas::Topic;

    use super::*;
    use crate::differences::Differences;

    const ONE: OrderId = OrderId::from_uuid(Uuid::from_u128(1));
    const TWO: OrderId = OrderId::from_uuid(Uuid::from_u128(2));

    fn moved(id: OrderId, sku: u64, offset: u64, units: u32, is_return: bool) -> UnitsMoved {
        UnitsMoved { id, sku, offset: Offset(offset), partition: Partition(0), units, is_return }
    }

    /// The differences in these movements, if the log begins at this offset.
    fn check(movements: &[UnitsMoved], start: u64) -> Differences {
        let scratch = tempfile::tempdir().unwrap();
        let sorter = SharedSorter::new(scratch.path(), 1);
        movements.iter().for_each(|moved| sorter.push(*moved).unwrap());
        let (mut report, reach) = (Report::default(), Reach::of_one(Topic::StockEvents, start..99));
        check_returns(&mut sorter.finish().unwrap(), &reach, &mut report).unwrap();
        report.differences
    }

    #[test]
    fn what_was_shipped_can_come_back_in_parts() {
        let movements = [
            moved(ONE, 5, 9, 2, true),
            moved(ONE, 5, 3, 4, false),
            moved(TWO, 5, 4, 1, false),
            moved(ONE, 5, 7, 2, true),
        ];
        assert_eq!(check(&movements, 0).count(), 0);
    }

    #[test]
    fn more_than_was_shipped_is_a_difference_unless_the_beginning_is_gone() {
        for movements in [
            vec![moved(ONE, 5, 1, 2, false), moved(ONE, 5, 2, 2, true), moved(ONE, 5, 3, 1, true)],
            // Of another order, of another SKU, and before it was shipped.
            vec![moved(ONE, 5, 1, 2, false), moved(TWO, 5, 2, 1, true)],
            vec![moved(ONE, 5, 1, 2, false), moved(ONE, 6, 2, 1, true)],
            vec![moved(ONE, 5, 2, 2, false), moved(ONE, 5, 1, 2, true)],
        ] {
            assert_eq!(check(&movements, 0).count(), 1, "{movements:?}");
            assert_eq!(check(&movements, 1).count(), 0, "{movements:?}");
        }
    }
}
