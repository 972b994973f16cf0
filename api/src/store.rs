//! The database, once it shows what the caller must see.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::extract::FromRequestParts;
use http::request::Parts;
use orderflow_ingest::{
    LookupError, OrderLookup,
    http::{MinPosition, Problem},
};
use orderflow_schemas::{Order, OrderId, Position};
use orderflow_sinks::{
    Progress,
    database::{DatabaseError, Reader},
};

use crate::state::Api;

/// How long a read waits for the position it must see.
pub const WAIT_MAX: Duration = Duration::from_secs(2);

/// The reads of the database. To extract it is to wait for `Orderflow-Min-Position`: 400 if it names a partition
/// that does not exist, 503 `not-caught-up` after [`WAIT_MAX`].
pub struct Store(pub Arc<dyn Reader>);

impl FromRequestParts<Api> for Store {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let MinPosition(position) = MinPosition::from_request_parts(parts, api).await?;
        if position.is_empty() {
            return Ok(Self(api.database.clone()));
        }
        api.progress.check(&position).map_err(|unknown| {
            Problem::bad_request("invalid-position", format!("Orderflow-Min-Position: {unknown}"))
        })?;
        if api.progress.reach(&position, WAIT_MAX).await {
            return Ok(Self(api.database.clone()));
        }
        let detail = format!("the database is not yet at {position}; it is at {}", api.progress.position());
        Err(Problem::unavailable("not-caught-up", detail, 1))
    }
}

/// 500, with the cause in the log.
pub fn failed(error: DatabaseError) -> Problem {
    Problem::internal(error)
}

/// Orders that are over, for the write API: the processor has forgotten them, the database has not.
#[derive(Clone)]
pub struct StoredOrders {
    database: Arc<dyn Reader>,
    progress: Progress,
}

impl StoredOrders {
    /// The orders of this database, which is as far as `progress` says.
    pub fn new(database: Arc<dyn Reader>, progress: Progress) -> Self {
        Self { database, progress }
    }
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
