//! The state as snapshots of format 1 have it; only the keys differ.

use foldhash::HashMap;
use orderflow_schemas::{Levels, OrderId, Sku};
use serde::Deserialize;

use super::{
    Stock,
    state::{Held, Item, Resolved},
};
use crate::keys;

/// The state of format 1.
#[derive(Debug, Deserialize)]
pub struct Format1 {
    items: HashMap<Sku, Item>,
    reservations: HashMap<OrderId, Vec<Held>>,
    resolved: Resolved,
    keys: keys::Format1<Levels>,
}

impl From<Format1> for Stock {
    fn from(old: Format1) -> Self {
        let Format1 { items, reservations, resolved, keys } = old;
        Self { items, reservations, resolved, keys: keys.into() }
    }
}
