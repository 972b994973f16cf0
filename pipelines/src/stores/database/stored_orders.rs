//! Finished orders, for the write API: the processor has forgotten them, but the database has them.

use std::sync::Arc;

use async_trait::async_trait;
use orderflow_api::WAIT_MAX;
use orderflow_database::DatabaseReader;
use orderflow_ingest::{LookupError, OrderLookup};
use orderflow_schemas::{Order, OrderId, Position};
use orderflow_sinks::Progress;

/// The orders of a database, as far as its progress says.
pub struct StoredOrders {
    /// The reader of the database.
    pub database: Arc<dyn DatabaseReader>,
    /// How far the database has applied the log.
    pub progress: Progress,
}

#[async_trait]
impl OrderLookup for StoredOrders {
    async fn order(&self, id: OrderId, at_least: &Position) -> Result<Option<Order>, LookupError> {
        if !self.progress.reach(at_least, WAIT_MAX).await {
            return Err(LookupError(format!("it is not yet at {at_least}")));
        }
        self.database.order(id).await.map_err(|error| LookupError(error.to_string()))
    }
}
