//! An active order in memory: open, or packed as it was in the snapshot until it is needed.
//!
//! Most orders wait for hours or days until the next change. Opening all of them would take most of the time of a
//! restart with millions of orders, and most of its memory afterwards. A packed order goes into the next snapshot
//! unchanged. So when the format of an order changes, reading a snapshot of the previous format must open all of its
//! orders.

use std::{borrow::Cow, sync::Arc};

use orderflow_schemas::{Actor, Order, Partition, Timestamp, commands::ReservationOutcome, events::Holding};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An order that is not in a final state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    #[serde(with = "super::stored_order")]
    pub(super) order: Arc<Order>,
    pub(super) holding: Holding,
    pub(super) due: Option<Timestamp>,
    /// The replies received so far, while the order waits for stock.
    pub(super) replies: Vec<(Partition, ReservationOutcome)>,
    /// The actor that requested an order that is not created yet. Readers do not see such an order.
    pub(super) requested_by: Option<Box<Actor>>,
}

/// The parts of an order that are read without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary<'a> {
    pub(super) status: &'a str,
    pub(super) holding: Holding,
    pub(super) is_visible: bool,
}

/// An active order, open or packed; cheap to clone. In snapshots it is a string of bytes in postcard: its
/// [`Summary`], then the order.
#[derive(Clone, Debug)]
pub(super) enum MaybePacked {
    Open(Arc<Active>),
    /// The bytes from the snapshot. The summary can be decoded: that is checked when the bytes are read.
    Packed(Arc<[u8]>),
}

/// The initial capacity for a packed order, in bytes: enough for most orders.
const PACKED_BYTES: usize = 512;
const SOUND: &str = "a snapshot's format and checksum stand for its orders";

impl MaybePacked {
    pub(super) fn new(active: Active) -> Self {
        Self::Open(Arc::new(active))
    }

    pub(super) fn summary(&self) -> Summary<'_> {
        match self {
            Self::Open(active) => active.summary(),
            Self::Packed(bytes) => postcard::take_from_bytes(bytes).expect(SOUND).0,
        }
    }

    pub(super) fn get(&self) -> Cow<'_, Active> {
        self.try_get().expect(SOUND)
    }

    /// The order, or why its bytes cannot be decoded.
    pub(super) fn try_get(&self) -> Result<Cow<'_, Active>, String> {
        match self {
            Self::Open(active) => Ok(Cow::Borrowed(active)),
            Self::Packed(bytes) => open(bytes).map(Cow::Owned),
        }
    }

    /// The order, opened, to be changed.
    pub(super) fn get_mut(&mut self) -> &mut Active {
        if let Self::Packed(bytes) = self {
            *self = Self::new(open(bytes).expect(SOUND));
        }
        match self {
            Self::Open(active) => Arc::make_mut(active),
            Self::Packed(_) => unreachable!("it was opened above"),
        }
    }
}

impl Active {
    fn summary(&self) -> Summary<'_> {
        let (status, is_visible) = (self.order.status.as_str(), self.requested_by.is_none());
        Summary { status, holding: self.holding, is_visible }
    }
}

fn open(bytes: &[u8]) -> Result<Active, String> {
    let ((said, active), rest): ((Summary<'_>, Active), _) =
        postcard::take_from_bytes(bytes).map_err(|error| error.to_string())?;
    if said != active.summary() || !rest.is_empty() {
        return Err(format!("order {} is not what stands in front of it", active.order.id));
    }
    Ok(active)
}

impl PartialEq for MaybePacked {
    fn eq(&self, other: &Self) -> bool {
        self.try_get().is_ok_and(|one| other.try_get().is_ok_and(|other| one == other))
    }
}

impl Eq for MaybePacked {}

impl Serialize for MaybePacked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Packed(bytes) => serializer.serialize_bytes(bytes),
            Self::Open(active) => {
                let packed =
                    postcard::to_extend(&(active.summary(), active), Vec::with_capacity(PACKED_BYTES));
                serializer.serialize_bytes(&packed.map_err(serde::ser::Error::custom)?)
            }
        }
    }
}

impl<'de> Deserialize<'de> for MaybePacked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        postcard::take_from_bytes::<Summary<'_>>(bytes).map_err(de::Error::custom)?;
        Ok(Self::Packed(bytes.into()))
    }
}
