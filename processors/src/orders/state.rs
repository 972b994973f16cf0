//! The state of the order processor: active orders, idempotency keys of orders and of changes, and which orders are due when.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

use foldhash::HashMap;
use orderflow_schemas::{Order, OrderId, Timestamp, events::Holding, order::FailureCode};
use serde::{Deserialize, Serialize};

use super::packed::{Active, MaybePacked};
use crate::{
    State, bulk,
    keys::{Keys, Outcome},
};

/// The state of one partition of the order processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    #[serde(deserialize_with = "bulk::map")]
    pub(super) active: HashMap<OrderId, MaybePacked>,
    pub(super) keys: Keys<PlacedOrder>,
    pub(super) change_keys: Keys<Outcome<()>>,
    #[serde(deserialize_with = "bulk::sorted_set")]
    pub(super) due: BTreeSet<(Timestamp, OrderId)>,
}

/// The order that was placed under a key, or would have been.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PlacedOrder {
    pub(super) id: OrderId,
    /// Why the order was never created, if it was not.
    pub(super) declined: Option<FailureCode>,
}

impl Orders {
    /// The number of active orders.
    pub fn active_len(&self) -> usize {
        self.active.len()
    }

    /// The active order with this id.
    pub fn get(&self, id: OrderId) -> Option<Arc<Order>> {
        self.find(id).map(|active| active.order.clone())
    }

    /// All active orders in no particular order, each with the state of its stock reservation. Orders that were requested
    /// and not created yet are among them.
    pub fn iter(&self) -> impl Iterator<Item = (Arc<Order>, Holding)> {
        self.active.values().map(|order| {
            let active = order.get();
            (active.order.clone(), active.holding)
        })
    }

    /// The active order with this id, if readers may see it.
    pub(super) fn find_visible(&self, id: OrderId) -> Option<Cow<'_, Active>> {
        self.find(id).filter(|active| active.requested_by.is_none())
    }

    pub(super) fn find(&self, id: OrderId) -> Option<Cow<'_, Active>> {
        self.active.get(&id).map(MaybePacked::get)
    }
}

impl State for Orders {
    fn check(&self) -> Result<(), String> {
        let checked = |(id, order): (&OrderId, &MaybePacked)| {
            let active = order.try_get().map_err(|why| format!("order {id}: {why}"))?;
            if active.order.id == *id {
                Ok(())
            } else {
                Err(format!("order {id}: it is {}", active.order.id))
            }
        };
        self.active.iter().try_for_each(checked)
    }
}
