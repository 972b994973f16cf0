//! Access to the database once it shows what the caller must see.

use std::{sync::Arc, time::Duration};

use axum::extract::FromRequestParts;
use http::{StatusCode, request::Parts};
use orderflow_database::{DatabaseError, DatabaseReader};
use orderflow_web::{
    MinPosition, Problem,
    openapi::{Describe, Operation},
};

use crate::state::Api;

/// How long a read waits for the position that it must see.
pub const WAIT_MAX: Duration = Duration::from_secs(2);

/// The reads of the database. Extracting it waits for `Orderflow-Min-Position`: 400 if that names a partition that does
/// not exist, 503 `not-caught-up` after [`WAIT_MAX`].
pub struct CaughtUpReader(pub Arc<dyn DatabaseReader>);

impl FromRequestParts<Api> for CaughtUpReader {
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

impl Describe for CaughtUpReader {
    fn describe(operation: &mut Operation<'_>) {
        MinPosition::describe(operation);
        operation
            .fails(StatusCode::SERVICE_UNAVAILABLE, "not-caught-up")
            .fails(StatusCode::SERVICE_UNAVAILABLE, "database-unavailable");
    }
}

/// The problem for a failed read: 503 `database-unavailable` if the database may answer later, else 500. The cause goes
/// to the program's log.
pub fn failed(error: DatabaseError) -> Problem {
    if !error.is_transient() {
        return Problem::internal(error);
    }
    let retry_after_s = match &error {
        // The cause was logged when the database became unavailable. This error is returned for every request until the
        // database is back.
        DatabaseError::Unavailable { retry_after } => retry_after.as_millis().div_ceil(1_000).max(1),
        _ => {
            tracing::warn!(%error, "the database could not answer a request");
            1
        }
    };
    let retry_after_s = u32::try_from(retry_after_s).unwrap_or(u32::MAX);
    Problem::unavailable("database-unavailable", "the database cannot answer now", retry_after_s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_may_answer_later_is_503_with_retry_after_and_any_other_error_is_500() {
        let retry_after = |problem: Problem| {
            use axum::response::IntoResponse;
            problem.into_response().headers()[http::header::RETRY_AFTER].to_str().unwrap().to_owned()
        };
        let away = failed(DatabaseError::Unavailable { retry_after: Duration::from_millis(1_500) });
        assert_eq!((away.status(), away.slug()), (StatusCode::SERVICE_UNAVAILABLE, "database-unavailable"));
        assert_eq!(retry_after(away), "2");
        let busy = DatabaseError::Query { operation: "list orders", source: sqlx::Error::PoolTimedOut };
        let busy = failed(busy);
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(retry_after(busy), "1");
        let wrong = DatabaseError::Damaged { table: "orders", column: "total", reason: "secret".into() };
        let wrong = failed(wrong);
        assert_eq!(wrong.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!wrong.detail().contains("secret"), "a 5xx says nothing internal");
    }
}
