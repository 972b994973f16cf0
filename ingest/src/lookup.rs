//! Reading finished orders: the processor has forgotten them, and a store still has them.

use async_trait::async_trait;
use orderflow_schemas::{Order, OrderId, Position};

/// The store could not answer, for the reason given.
#[derive(Debug, thiserror::Error)]
#[error("the store of orders cannot answer: {0}")]
pub struct LookupError(pub String);

/// Reads orders from a store.
///
/// *Consistency*: waits, within a bound, until the store holds the decisions of all commands up to `at_least`; it fails
/// rather than answer with an older state. *Cancellation*: the future may be dropped. *Concurrency*: called from many
/// tasks at once.
#[async_trait]
pub trait OrderLookup: Send + Sync {
    /// The current state of the order, or `None` if the store has no order with this id.
    async fn order(&self, id: OrderId, at_least: &Position) -> Result<Option<Order>, LookupError>;
}
