//! Returned units: what came back of a shipped order, and where it went.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{events::Levels, ids::Sku};

/// Where returned units go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReturnTo {
    /// They are available again.
    Stock,
    /// They are lost to stock, for example because they are damaged.
    WrittenOff,
}

/// Units of one line of an order that came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedUnits {
    /// The number of the line in the order, from 1.
    #[schemars(range(min = 1, max = 500))]
    pub line: u32,
    /// The number of units, at least 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub quantity: u32,
    /// Where the units go.
    pub to: ReturnTo,
}

/// Units of one SKU that came back from an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnedSku {
    /// The SKU of the units.
    pub sku: Sku,
    /// The number of units, at least 1.
    pub quantity: u32,
    /// Where the units go.
    pub to: ReturnTo,
}

/// Units of one SKU that moved from shipped to available or written off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReturnMovement {
    /// The SKU of the units.
    pub sku: Sku,
    /// The number of units moved.
    pub quantity: u32,
    /// Where the units went.
    pub to: ReturnTo,
    /// The SKU's levels after this movement.
    pub levels: Levels,
}

impl ReturnTo {
    /// The levels after this many shipped units came back; `None` if fewer are shipped.
    pub fn after(self, before: Levels, units: u64) -> Option<Levels> {
        let shipped = before.shipped.checked_sub(units)?;
        Some(match self {
            Self::Stock => Levels { shipped, available: before.available + units, ..before },
            Self::WrittenOff => Levels { shipped, written_off: before.written_off + units, ..before },
        })
    }
}
