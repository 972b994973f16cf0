//! Orders that are over: the processor has forgotten them, a store has not.

use async_trait::async_trait;
use orderflow_schemas::{Order, OrderId, Position};

/// The store could not say.
#[derive(Debug, thiserror::Error)]
#[error("the store of orders cannot answer: {0}")]
pub struct LookupError(pub String);

/// Reads orders from a store.
///
/// *Consistency*: waits, within a bound, until the store holds what was decided of `at_least`; fails rather than
/// answer from before it. *Cancellation*: the future may be dropped. *Concurrency*: called from many tasks at once.
#[async_trait]
pub trait OrderLookup: Send + Sync {
    /// The order as it stands, or `None` if there is none of this id.
    async fn order(&self, id: OrderId, at_least: &Position) -> Result<Option<Order>, LookupError>;
}
