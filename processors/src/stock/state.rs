//! The state of the stock processor: levels, catalogue, reservations and idempotency keys.

use std::collections::VecDeque;

use foldhash::HashMap;
use orderflow_schemas::{Levels, OrderId, Sku, commands::ReleaseReason, events::CatalogueEntry};
use serde::{Deserialize, Serialize};

use crate::{
    State, bulk,
    keys::{Keys, Outcome},
};

/// The state of one partition of the stock processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stock {
    pub(super) items: HashMap<Sku, Item>,
    #[serde(deserialize_with = "bulk::map")]
    pub(super) reservations: HashMap<OrderId, Vec<Held>>,
    pub(super) resolved: Resolved,
    /// The keys of changes, with the levels right after those that were made.
    pub(super) keys: Keys<Outcome<Levels>>,
}

/// The levels of one SKU and its entry in the catalogue, if it has one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Item {
    pub(super) levels: Levels,
    pub(super) product: Option<CatalogueEntry>,
}

/// Units of one SKU that are held for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Held {
    pub(super) sku: Sku,
    pub(super) quantity: u32,
}

/// How a reservation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Resolution {
    Shipped,
    Released,
    Expired,
}

impl Resolution {
    pub(super) fn of(reason: ReleaseReason) -> Self {
        match reason {
            ReleaseReason::Expired => Self::Expired,
            ReleaseReason::Canceled | ReleaseReason::Failed => Self::Released,
        }
    }
}

/// The latest resolutions, up to a bound; the oldest are forgotten first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Resolved {
    #[serde(deserialize_with = "bulk::map")]
    known: HashMap<OrderId, Resolution>,
    order: VecDeque<OrderId>,
}

impl Resolved {
    pub(super) fn get(&self, id: OrderId) -> Option<Resolution> {
        self.known.get(&id).copied()
    }

    pub(super) fn remember(&mut self, id: OrderId, resolution: Resolution, resolved_max: usize) {
        if self.known.insert(id, resolution).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > resolved_max {
            let oldest = self.order.pop_front().expect("a queue over its bound is not empty");
            self.known.remove(&oldest);
        }
    }
}

impl State for Stock {}

impl Stock {
    /// The levels of a SKU; all zero for an unknown one.
    pub fn levels(&self, sku: &str) -> Levels {
        self.items.get(sku).map(|item| item.levels).unwrap_or_default()
    }

    /// The entry of a SKU in the catalogue, if it has one.
    pub(super) fn product(&self, sku: &Sku) -> Option<&CatalogueEntry> {
        self.items.get(sku)?.product.as_ref()
    }

    /// All SKUs with their levels, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&Sku, Levels)> {
        self.items.iter().map(|(sku, item)| (sku, item.levels))
    }

    /// For each order with a reservation in this partition, the number of units it still holds; in no particular order.
    pub fn reservations(&self) -> impl Iterator<Item = (OrderId, u64)> {
        self.reservations
            .iter()
            .map(|(id, held)| (*id, held.iter().map(|held| u64::from(held.quantity)).sum()))
    }
}
