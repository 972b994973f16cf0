//! What a pipeline file says about placing orders: when they become visible, how long they hold stock, and whether they
//! are for SKUs or for items by name.

use std::time::Duration;

use super::{Lifecycle, LifecycleError, Trigger};
use crate::limits::QUANTITY_MAX;

/// When a new order becomes visible to readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visible {
    /// When it is placed.
    #[default]
    Placed,
    /// When stock holds all its lines. An order that stock refuses is never created.
    Reserved,
}

/// For how long stock is held for an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReserveFor {
    /// The shortest time that a request may ask for.
    pub min: Duration,
    /// The longest time that a request may ask for.
    pub max: Duration,
    /// The time if a request does not ask.
    pub default: Duration,
}

impl ReserveFor {
    /// Whether a request may ask for this time.
    pub fn allows(&self, asked: Duration) -> bool {
        (self.min..=self.max).contains(&asked)
    }
}

/// The most characters that a pipeline file may allow for the name of an item.
pub const ITEM_CHARS_MAX: usize = 255;

/// The limits of the lines of orders for items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ItemLimits {
    /// The most characters of an item's name.
    pub name_chars_max: usize,
    /// The most pieces of one line.
    pub quantity_max: u32,
}

/// The longest time that a pipeline file may allow for a reservation.
const RESERVE_FOR_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Refuses a lifecycle whose orders cannot be placed as the file says.
pub(super) fn check(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    check_reserve_for(lifecycle)?;
    if lifecycle.visible == Visible::Reserved && lifecycle.initial_stock.is_none() {
        return Err(LifecycleError::VisibleWithoutStock);
    }
    let Some(ItemLimits { name_chars_max, quantity_max }) = lifecycle.items else { return Ok(()) };
    if !(1..=ITEM_CHARS_MAX).contains(&name_chars_max) || !(1..=QUANTITY_MAX).contains(&quantity_max) {
        return Err(LifecycleError::ItemLimits);
    }
    let moves_stock = lifecycle.transitions.iter().any(|transition| transition.stock.is_some());
    if lifecycle.initial_stock.is_some() || moves_stock || lifecycle.states.iter().any(|state| state.returns)
    {
        return Err(LifecycleError::ItemsWithStock);
    }
    Ok(())
}

fn check_reserve_for(lifecycle: &Lifecycle) -> Result<(), LifecycleError> {
    let mut transitions = lifecycle.transitions.iter();
    let ends = transitions.any(|transition| transition.trigger == Trigger::ReservationEnds);
    if ends != lifecycle.reserve_for.is_some() {
        return Err(LifecycleError::ReserveForAlone);
    }
    let Some(ReserveFor { min, max, default }) = lifecycle.reserve_for else { return Ok(()) };
    let is_whole = [min, max, default].iter().all(|time| time.subsec_nanos() == 0);
    if !is_whole || min < Duration::from_secs(1) || !(min..=max).contains(&default) || max > RESERVE_FOR_MAX {
        return Err(LifecycleError::ReserveForBounds);
    }
    Ok(())
}
