//! Decides whether an event is the decision on the command it answers. Pure.

use orderflow_schemas::{Lifecycle, Order, OrderEvent, OrderId, events::Change};
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
        OrderEvent::Repeated(repeated) => match &repeated.order {
            Some(order) if undecided(order, lifecycle) => Verdict::Follow { order: order.id, replayed: true },
            _ => Verdict::Decided,
        },
        _ => Verdict::Decided,
    }
}

/// Whether the order still waits for stock. Version 1 is the order as created. In a lifecycle that reserves stock on
/// placing, an order of version 1 waits for stock, whatever the name of its state.
fn undecided(order: &Order, lifecycle: &Lifecycle) -> bool {
    lifecycle.initial_stock().is_some() && order.version == 1
}

/// The id of the order that an `order.*` event is about. Decodes no other field.
pub fn order_of(data: &str) -> Option<OrderId> {
    #[derive(Deserialize)]
    struct Event {
        order: Order,
    }

    #[derive(Deserialize)]
    struct Order {
        id: OrderId,
    }

    serde_json::from_str(data).ok().map(|Event { order: Order { id } }| id)
}
