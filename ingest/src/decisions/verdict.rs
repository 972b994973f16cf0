//! Whether an event decides the command it answers. Pure.

use orderflow_schemas::{Lifecycle, Order, OrderEvent, OrderId, events::Change};
use serde::Deserialize;

/// What an event means to whoever waits for its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the decision.
    Decided,
    /// The order waits for stock: its next event is the decision.
    Follow {
        /// Which order.
        order: OrderId,
        /// Whether the command repeated an earlier one.
        replayed: bool,
    },
}

/// What this event, the first about a command, means.
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

/// Version 1 is what was created. Where placing reserves, it waits for stock whatever its state is called.
fn undecided(order: &Order, lifecycle: &Lifecycle) -> bool {
    lifecycle.initial_stock().is_some() && order.version == 1
}

/// The id of the order that an `order.*` event is about, without reading the rest.
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
