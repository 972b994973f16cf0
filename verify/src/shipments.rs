//! The events of shipments in the log, to be compared with a store in the order of orders and offsets.

use std::io::{self, Read, Write};

use orderflow_database::ShipmentEntry;
use orderflow_schemas::{Actor, Offset, OrderEvent, OrderId, Record, ShipmentEvent};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::sorter::Sortable;

/// The size of a mark in a file, in bytes.
const MARK_BYTES: usize = 16 + 2 * 8 + 1;

/// The place and the digest of an event of a shipment. Marks are ordered by order id, then by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ShipmentMark {
    pub(crate) id: OrderId,
    pub(crate) offset: Offset,
    /// The digest of the row of the event.
    pub(crate) digest: u64,
    /// Whether the store shows the event, according to its checkpoint.
    pub(crate) shown: bool,
}

impl ShipmentMark {
    /// The mark of the event at `offset`; `None` if it reports nothing about a shipment.
    pub(super) fn of(offset: Offset, record: &Record<OrderEvent>, shown: bool) -> Option<Self> {
        let (order_id, event, by): (OrderId, &ShipmentEvent, &Actor) = match &record.data {
            OrderEvent::Changed(_, changed) => (changed.order.id, changed.shipment.as_deref()?, &changed.by),
            OrderEvent::ShipmentRecorded(recorded) => (recorded.order_id, &recorded.shipment, &recorded.by),
            _ => return None,
        };
        let at = record.header.time;
        let row = ShipmentEntry { order_id, offset, at, by: by.clone(), event: event.clone() };
        Some(Self { id: order_id, offset, digest: digest(&row), shown })
    }
}

/// The digest of a row.
pub(crate) fn digest(row: &ShipmentEntry) -> u64 {
    xxh3_64(&serde_json::to_vec(row).expect("an event of a shipment has string keys"))
}

impl Sortable for ShipmentMark {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut bytes = [0; MARK_BYTES];
        bytes[..16].copy_from_slice(self.id.as_uuid().as_bytes());
        bytes[16..24].copy_from_slice(&self.offset.0.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.digest.to_le_bytes());
        bytes[32] = u8::from(self.shown);
        out.write_all(&bytes)
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; MARK_BYTES];
        input.read_exact(&mut bytes)?;
        let number = |at: usize| u64::from_le_bytes(bytes[at..][..8].try_into().expect("eight bytes"));
        let id = Uuid::from_bytes(bytes[..16].try_into().expect("sixteen bytes"));
        Ok(Self {
            id: OrderId::from_uuid(id),
            offset: Offset(number(16)),
            digest: number(24),
            shown: bytes[32] != 0,
        })
    }
}
