//! The state as snapshots of format 1 have it: orders are open.

use std::collections::BTreeSet;

use foldhash::HashMap;
use orderflow_schemas::{OrderId, Timestamp};
use serde::Deserialize;

use super::{
    Orders,
    packed::{Active, MaybePacked},
};
use crate::keys;

/// The state of format 1.
#[derive(Debug, Deserialize)]
pub struct Format1 {
    active: HashMap<OrderId, Active>,
    keys: keys::Format1<OrderId>,
    due: BTreeSet<(Timestamp, OrderId)>,
}

impl From<Format1> for Orders {
    fn from(old: Format1) -> Self {
        let active = old.active.into_iter().map(|(id, active)| (id, MaybePacked::new(active))).collect();
        Self { active, keys: old.keys.into(), due: old.due }
    }
}
