//! Returns: units that were shipped come back, and are available again or written off.
//!
//! The order processor counts what came back of each line of an order. Here the sum over all orders is checked: no more
//! units of a SKU come back than were shipped.

use orderflow_schemas::{
    Levels, StockEvent,
    commands::ReturnUnits,
    events::{RejectionCode, StockReturned},
    returns::ReturnMovement,
};

use super::{Stock, reservation_rejected};

pub(super) fn take_back(state: &Stock, command: &ReturnUnits) -> StockEvent {
    let order_id = command.order_id;
    match movements(state, command) {
        Some(lines) => StockEvent::Returned(StockReturned { order_id, lines }),
        None => {
            let detail = "cannot take back more than was shipped";
            reservation_rejected("stock.return", order_id, RejectionCode::MoreThanShipped, detail)
        }
    }
}

/// The movements of the units; `None` if there are none, or more than were shipped. Lines of one SKU are adjacent, so
/// that each movement continues from the levels of the one before.
fn movements(state: &Stock, command: &ReturnUnits) -> Option<Vec<ReturnMovement>> {
    let mut movements: Vec<ReturnMovement> = Vec::with_capacity(command.lines.len());
    for line in &command.lines {
        let last = movements.last().filter(|movement| movement.sku == line.sku);
        let before: Levels = last.map_or_else(|| state.levels(line.sku.as_str()), |movement| movement.levels);
        let levels = line.to.after(before, line.quantity.into())?;
        movements.push(ReturnMovement {
            sku: line.sku.clone(),
            quantity: line.quantity,
            to: line.to,
            levels,
        });
    }
    (!movements.is_empty()).then_some(movements)
}
