//! The place and digests of a change of an order, in a fixed number of bytes, kept until the change is compared.

use std::io::{self, Read, Write};

use orderflow_database::HistoryEntry;
use orderflow_schemas::{Offset, Order, OrderId, Status, events::OrderChanged};
use uuid::Uuid;
use xxhash_rust::xxh3::xxh3_64;

use super::sorter::Sortable;

/// The size of an entry in a file, in bytes.
const ENTRY_BYTES: usize = 16 + 6 * 8 + 1;

const CREATED: u8 = 1;
const SHOWN: u8 = 2;
const HIDDEN: u8 = 4;

/// A change of an order. Entries are ordered by order id, then by offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) id: OrderId,
    pub(super) offset: Offset,
    pub(super) version: u64,
    /// The digest of the order after the change.
    pub(super) order: u64,
    /// The digest of the change's row in the history.
    pub(super) change: u64,
    /// The digest of the state after the change; `from` has the digest of the state before it, or 0 if there was
    /// none.
    pub(super) status: u64,
    pub(super) from: u64,
    /// Whether the change created the order.
    pub(super) created: bool,
    /// Whether the order was only requested, or declined. No store shows such an order, and it has version 0.
    pub(super) hidden: bool,
    /// Whether the store shows the change, according to its checkpoint.
    pub(super) shown: bool,
}

/// The digest of an order.
pub(super) fn digest(order: &Order) -> u64 {
    xxh3_64(&serde_json::to_vec(order).expect("an order has string keys"))
}

/// The digest of a row of the history.
pub(super) fn digest_change(entry: &HistoryEntry) -> u64 {
    xxh3_64(&serde_json::to_vec(entry).expect("a change has string keys"))
}

fn digest_status(status: &Status) -> u64 {
    xxh3_64(status.as_str().as_bytes())
}

impl Entry {
    /// The entry of an event at `offset`, whose row in the history is `row`.
    pub(super) fn of(offset: Offset, changed: &OrderChanged, row: &HistoryEntry, created: bool) -> Self {
        let order = &changed.order;
        Self {
            id: order.id,
            offset,
            version: order.version,
            order: digest(order),
            change: digest_change(row),
            status: digest_status(&order.status),
            from: changed.from.as_ref().map_or(0, digest_status),
            created,
            hidden: false,
            shown: false,
        }
    }

    /// The entry of an event at `offset` that says that an order was requested or declined.
    pub(super) fn hidden(id: OrderId, offset: Offset) -> Self {
        let (version, order, change, status, from) = (0, 0, 0, 0, 0);
        Self { id, offset, version, order, change, status, from, created: false, hidden: true, shown: false }
    }

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(self.id.as_uuid().as_bytes());
        let numbers = [self.offset.0, self.version, self.order, self.change, self.status, self.from];
        for (slot, number) in bytes[16..].chunks_exact_mut(8).zip(numbers) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        bytes[ENTRY_BYTES - 1] =
            flag(self.created, CREATED) | flag(self.shown, SHOWN) | flag(self.hidden, HIDDEN);
        bytes
    }

    fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let number =
            |at: usize| u64::from_le_bytes(bytes[16 + 8 * at..][..8].try_into().expect("eight bytes"));
        let flags = bytes[ENTRY_BYTES - 1];
        Self {
            id: OrderId::from_uuid(Uuid::from_bytes(bytes[..16].try_into().expect("sixteen bytes"))),
            offset: Offset(number(0)),
            version: number(1),
            order: number(2),
            change: number(3),
            status: number(4),
            from: number(5),
            created: flags & CREATED != 0,
            hidden: flags & HIDDEN != 0,
            shown: flags & SHOWN != 0,
        }
    }
}

impl Sortable for Entry {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.to_bytes())
    }

    fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut bytes = [0; ENTRY_BYTES];
        input.read_exact(&mut bytes)?;
        Ok(Self::from_bytes(&bytes))
    }
}
