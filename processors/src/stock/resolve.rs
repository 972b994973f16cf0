//! Resolving a reservation, once: shipping it, whole or in parts, or releasing it.

use orderflow_schemas::{
    Levels, OrderId, Sku, StockEvent,
    commands::{Release, Ship, ShipLine},
    events::{Movement, RejectionCode, StockReleased, StockShipped},
};

use super::{
    Stock, reservation_rejected,
    state::{Held, Resolution},
};

pub(super) fn release(state: &Stock, release: &Release) -> StockEvent {
    let Some(held) = state.reservations.get(&release.order_id) else {
        return not_held(state, "stock.release", release.order_id);
    };
    let back = |levels: Levels, units: u64| Levels {
        available: levels.available + units,
        reserved: levels.reserved - units,
        ..levels
    };
    let lines = movements(state, held.iter().map(|held| (&held.sku, held.quantity)), back);
    StockEvent::Released(StockReleased { order_id: release.order_id, reason: release.reason, lines })
}

pub(super) fn ship(state: &Stock, ship: &Ship) -> StockEvent {
    const KIND: &str = "stock.ship";
    let order_id = ship.order_id;
    let Some(held) = state.reservations.get(&order_id) else {
        return not_held(state, KIND, order_id);
    };
    let gone = |levels: Levels, units: u64| Levels {
        reserved: levels.reserved - units,
        shipped: levels.shipped + units,
        ..levels
    };
    let Some(part) = &ship.part else {
        let lines = movements(state, held.iter().map(|held| (&held.sku, held.quantity)), gone);
        return StockEvent::Shipped(StockShipped { order_id, lines });
    };
    let mut part: Vec<&ShipLine> = part.iter().collect();
    part.sort_by(|a, b| a.sku.cmp(&b.sku));
    if !covers(held, &part) {
        let detail = "cannot ship more than is reserved";
        return reservation_rejected(KIND, order_id, RejectionCode::MoreThanReserved, detail);
    }
    let lines = movements(state, part.into_iter().map(|line| (&line.sku, line.quantity)), gone);
    StockEvent::Shipped(StockShipped { order_id, lines })
}

/// The rejection of a command about a reservation that does not exist or is already resolved.
fn not_held(state: &Stock, kind: &str, order_id: OrderId) -> StockEvent {
    let (code, detail) = match state.resolved.get(order_id) {
        Some(Resolution::Shipped) => {
            (RejectionCode::ReservationResolved, "the reservation has already been shipped")
        }
        Some(Resolution::Released) => {
            (RejectionCode::ReservationResolved, "the reservation has already been released")
        }
        Some(Resolution::Expired) => {
            (RejectionCode::ReservationResolved, "the reservation has already expired")
        }
        None => (RejectionCode::UnknownReservation, "the order has no reservation in this partition"),
    };
    reservation_rejected(kind, order_id, code, detail)
}

/// Whether the part, sorted by SKU, can be shipped: it has at least one line, every line has at least one unit, and no
/// SKU has more units than the reservation.
fn covers(held: &[Held], part: &[&ShipLine]) -> bool {
    let fits = |lines: &[&ShipLine]| {
        let asked: u64 = lines.iter().map(|line| u64::from(line.quantity)).sum();
        let same = held.iter().filter(|held| held.sku == lines[0].sku);
        asked <= same.map(|held| u64::from(held.quantity)).sum()
    };
    let some = |line: &&ShipLine| line.quantity > 0;
    !part.is_empty() && part.iter().all(some) && part.chunk_by(|a, b| a.sku == b.sku).all(fits)
}

/// The movements of these units. Units of one SKU must be adjacent, so that each movement continues from the levels of
/// the one before.
fn movements<'a>(
    state: &Stock,
    units: impl Iterator<Item = (&'a Sku, u32)>,
    moved: impl Fn(Levels, u64) -> Levels,
) -> Vec<Movement> {
    let mut movements: Vec<Movement> = Vec::with_capacity(units.size_hint().0);
    for (sku, quantity) in units {
        let last = movements.last().filter(|movement| movement.sku == *sku);
        let before = last.map_or_else(|| state.levels(sku.as_str()), |movement| movement.levels);
        let levels = moved(before, u64::from(quantity));
        movements.push(Movement { sku: sku.clone(), quantity, levels });
    }
    movements
}
