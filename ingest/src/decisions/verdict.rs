//! Decides whether an event is the decision on the command it answers. Pure.

use orderflow_schemas::{Lifecycle, Order, OrderEvent, OrderId, events::Change, lifecycle::Visible};
use serde::Deserialize;

/// The meaning of an event for the request that waits for its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The event is the decision.
    Decided,
    /// The order waits for stock: its next event is the decision.
    Follow {
        /// The order whose next event to wait for.
        order: OrderId,
        /// Whether the command repeated an earlier one.
        replayed: bool,
    },
}

/// The meaning of this event, which must be the first about its command.
pub fn verdict(event: &OrderEvent, lifecycle: &Lifecycle) -> Verdict {
    match event {
        OrderEvent::Changed(Change::Created, created) if undecided(&created.order, lifecycle) => {
            Verdict::Follow { order: created.order.id, replayed: false }
        }
        OrderEvent::Requested(requested) => Verdict::Follow { order: requested.order.id, replayed: false },
        OrderEvent::Repeated(repeated) => match &repeated.order {
            Some(order) if undecided(order, lifecycle) => Verdict::Follow { order: order.id, replayed: true },
            _ => Verdict::Decided,
        },
        _ => Verdict::Decided,
    }
}

/// Whether the order still waits for stock. Version 1 is the order as created, whatever the name of its state: where
/// placing reserves stock, it waits, unless orders are created once stock is reserved. Those have version 0 while they
/// wait.
fn undecided(order: &Order, lifecycle: &Lifecycle) -> bool {
    let waits = lifecycle.visible() == Visible::Placed && lifecycle.initial_stock().is_some();
    !order.is_visible() || (waits && order.version == 1)
}

/// Whether an event of this kind can be the decision on a placed order that waited for stock.
pub fn ends_waiting(kind: &str, lifecycle: &Lifecycle) -> bool {
    match Change::ALL.into_iter().find(|change| change.kind() == kind) {
        Some(Change::Created) => lifecycle.visible() == Visible::Reserved,
        Some(_) => true,
        None => kind == DECLINED,
    }
}

/// The kind of the event that declines a requested order.
const DECLINED: &str = "order.declined";

/// The id of the order that an `order.*` event is about. Decodes no other field.
pub fn order_of(kind: &str, data: &str) -> Option<OrderId> {
    #[derive(Deserialize)]
    struct Changed {
        order: Order,
    }

    #[derive(Deserialize)]
    struct Order {
        id: OrderId,
    }

    #[derive(Deserialize)]
    struct Declined {
        order_id: OrderId,
    }

    if kind == DECLINED {
        return serde_json::from_str(data).ok().map(|Declined { order_id }| order_id);
    }
    serde_json::from_str(data).ok().map(|Changed { order: Order { id } }| id)
}
