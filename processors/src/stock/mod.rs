//! The stock processor: counts units, keeps the catalogue, and holds units for orders in two phases.
//!
//! One instance owns one partition of `stock.commands` and all SKUs in it. A reservation holds all its lines or none,
//! at the prices of that moment: price and reservation are decided at the same point of the same log. It is resolved
//! once, by shipping or by release. A second resolution is refused, and the refusal names the first one. A return is no
//! second resolution but a movement of its own, of units that were shipped. For each SKU after each event: received =
//! available + reserved + shipped + written off.

mod change_key;
mod evolve;
mod receive;
mod reserve;
mod resolve;
mod returns;
mod state;
#[cfg(test)]
mod tests;

use orderflow_schemas::{
    OrderCommand, OrderId, Sku, StockCommand, StockEvent, Timestamp, Topic,
    events::{CommandRejected, RejectionCode},
};
pub use state::Stock;

use crate::{Decision, Processor};

/// The most resolved reservations that each partition remembers. Decisions depend on it, so it is the same for every
/// process.
pub const RESOLVED_MAX: usize = 100_000;

/// The stock processor of one partition, with its configuration.
#[derive(Clone, Debug)]
pub struct StockProcessor {
    /// The partition of `stock.commands` that this processor reads. Its replies name it.
    pub partition: orderflow_schemas::Partition,
    /// The number of partitions of `orders.commands`.
    pub order_partitions: u16,
    /// The most idempotency keys of changes that a partition remembers.
    pub change_keys_max: usize,
    /// The most resolved reservations that a partition remembers, so that a rejection of a second resolution can name
    /// the first.
    pub resolved_max: usize,
}

type Decided = Decision<StockEvent, OrderCommand>;

impl Processor for StockProcessor {
    type Command = StockCommand;
    type Event = StockEvent;
    type Message = OrderCommand;
    type State = Stock;

    const INPUT: Topic = Topic::StockCommands;
    const EVENTS: Topic = Topic::StockEvents;
    const MESSAGES: Topic = Topic::OrdersCommands;

    fn decide(&self, state: &Stock, command: &StockCommand, time: Timestamp) -> Decided {
        match command {
            StockCommand::Receive(receive) => Decision::event(receive::receive(state, receive, time)),
            StockCommand::Adjust(adjust) => Decision::event(receive::adjust(state, adjust, time)),
            StockCommand::SetProduct(product) => Decision::event(receive::set_product(state, product, time)),
            StockCommand::Reserve(reserve) => self.reserve(state, reserve),
            StockCommand::Release(release) => Decision::event(resolve::release(state, release)),
            StockCommand::Ship(ship) => Decision::event(resolve::ship(state, ship)),
            StockCommand::Return(command) => Decision::event(returns::take_back(state, command)),
        }
    }

    fn evolve(&self, state: &mut Stock, event: &StockEvent, time: Timestamp) {
        self.fold(state, event, time);
    }

    fn unreadable(&self, refusal: CommandRejected) -> StockEvent {
        StockEvent::Rejected(refusal)
    }

    fn gauges(&self, state: &Stock) -> Vec<(&'static str, u64)> {
        vec![
            ("skus", state.items.len() as u64),
            ("reservations", state.reservations.len() as u64),
            ("change_keys", state.keys.len() as u64),
            ("change_keys_crowded_out", state.keys.crowded_out),
        ]
    }
}

/// The rejection of a command about one SKU.
fn sku_rejected(command: &str, sku: &Sku, code: RejectionCode, detail: &str) -> CommandRejected {
    rejected(command, code, detail, None, Some(sku.clone()))
}

/// The rejection of a command about a reservation.
fn reservation_rejected(command: &str, order_id: OrderId, code: RejectionCode, detail: &str) -> StockEvent {
    StockEvent::Rejected(rejected(command, code, detail, Some(order_id), None))
}

fn rejected(
    command: &str,
    code: RejectionCode,
    detail: &str,
    order_id: Option<OrderId>,
    sku: Option<Sku>,
) -> CommandRejected {
    let (command, detail) = (command.into(), detail.to_owned());
    CommandRejected {
        command,
        code,
        detail,
        order_id,
        sku,
        allowed: None,
        version: None,
        key: None,
        repeated: false,
    }
}
