//! An active order in memory: open, or packed as a snapshot had it, until somebody needs it.
//!
//! Most orders wait for hours or days until somebody moves them. To open all of them would be most of the time of a
//! restart with millions of orders, and most of its memory afterwards.

use std::{borrow::Cow, sync::Arc};

use orderflow_schemas::{Order, Partition, Timestamp, commands::ReservationOutcome, events::Holding};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An order that is not in a final state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    pub(super) order: Arc<Order>,
    pub(super) holding: Holding,
    pub(super) due: Option<Timestamp>,
    /// The answers so far, while stock is asked.
    pub(super) replies: Vec<(Partition, ReservationOutcome)>,
}

/// What of an order is read without opening it: its status, and what it has with stock.
pub(super) type Standing<'a> = (&'a str, Holding);

/// An active order, cheap to clone. In snapshots it is a string of bytes: its [`Standing`], then itself, in postcard.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    Open(Arc<Active>),
    Packed(Arc<[u8]>),
}

/// What most orders take, packed.
const PACKED_BYTES: usize = 512;
const SOUND: &str = "a snapshot's format and checksum stand for its orders";

impl Kept {
    pub(super) fn new(active: Active) -> Self {
        Self::Open(Arc::new(active))
    }

    pub(super) fn standing(&self) -> Standing<'_> {
        match self {
            Self::Open(active) => (active.order.status.as_str(), active.holding),
            Self::Packed(bytes) => postcard::take_from_bytes(bytes).expect(SOUND).0,
        }
    }

    pub(super) fn get(&self) -> Cow<'_, Active> {
        match self {
            Self::Open(active) => Cow::Borrowed(active),
            Self::Packed(bytes) => Cow::Owned(open(bytes)),
        }
    }

    /// Opens it, to be changed.
    pub(super) fn get_mut(&mut self) -> &mut Active {
        if let Self::Packed(bytes) = self {
            *self = Self::new(open(bytes));
        }
        match self {
            Self::Open(active) => Arc::make_mut(active),
            Self::Packed(_) => unreachable!("it was opened above"),
        }
    }
}

fn open(bytes: &[u8]) -> Active {
    let (_, active): (Standing<'_>, Active) = postcard::from_bytes(bytes).expect(SOUND);
    active
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.get() == other.get()
    }
}

impl Eq for Kept {}

impl Serialize for Kept {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Packed(bytes) => serializer.serialize_bytes(bytes),
            Self::Open(active) => {
                let packed =
                    postcard::to_extend(&(self.standing(), active), Vec::with_capacity(PACKED_BYTES));
                serializer.serialize_bytes(&packed.map_err(serde::ser::Error::custom)?)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes: &[u8] = serde_bytes::deserialize(deserializer)?;
        Ok(Self::Packed(bytes.into()))
    }
}
