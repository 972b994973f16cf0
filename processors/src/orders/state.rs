//! What the order processor remembers: active orders, keys and what is due when.

use std::{collections::BTreeSet, sync::Arc};

use foldhash::HashMap;
use orderflow_schemas::{
    Order, OrderId, Partition, Timestamp, commands::ReservationOutcome, events::Holding,
};
use serde::{Deserialize, Serialize};

use crate::keys::Keys;

/// The state of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    pub(super) active: HashMap<OrderId, Active>,
    pub(super) keys: Keys<OrderId>,
    pub(super) due: BTreeSet<(Timestamp, OrderId)>,
}

/// An order that is not in a final state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Active {
    pub(super) order: Arc<Order>,
    pub(super) holding: Holding,
    pub(super) due: Option<Timestamp>,
    /// The answers so far, while stock is asked.
    pub(super) replies: Vec<(Partition, ReservationOutcome)>,
}

impl Orders {
    /// How many orders are active.
    pub fn active_len(&self) -> usize {
        self.active.len()
    }

    /// The active order of this id.
    pub fn get(&self, id: OrderId) -> Option<&Arc<Order>> {
        self.active.get(&id).map(|active| &active.order)
    }

    /// All active orders, in no particular order, with what they have with stock.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<Order>, Holding)> {
        self.active.values().map(|active| (&active.order, active.holding))
    }
}
