//! `/clients…`: what admins do with machine clients.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use orderflow_schemas::Role;
use orderflow_web::{Caller, FieldError, Json, NoKey, PathPart, Problem, Scopes, json};
use serde::Deserialize;

use super::{auth::secret, users::id};
use crate::{Accounts, NewClient};

/// The body of `POST /clients`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientRequest {
    name: String,
    role: String,
    scopes: Option<Vec<String>>,
    requests_per_second: Option<i64>,
}

/// `GET /clients`
pub async fn list(State(accounts): State<Arc<Accounts>>, _: Caller) -> Result<Response, Problem> {
    let clients = accounts.clients().await?;
    Ok(json(StatusCode::OK, &serde_json::json!({ "items": clients, "next_cursor": null })))
}

/// `POST /clients`: the response has the secret, which is shown only now.
pub async fn add(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    _: NoKey,
    Json(request): Json<ClientRequest>,
) -> Result<Response, Problem> {
    let ClientRequest { name, role, scopes, requests_per_second } = request;
    let field = |pointer: &str, detail: String| Problem::invalid(vec![FieldError::new(pointer, detail)]);
    let role = Role::of_client(&role)
        .ok_or_else(|| field("/role", "must be service, courier or analyst".to_owned()))?;
    let scopes = scopes.map(|names| Scopes::parse(&names.join(" "))).transpose();
    let scopes = scopes.map_err(|error| field("/scopes", error.to_string()))?;
    let new = NewClient { name, role, scopes, requests_per_second };
    let added = accounts.add_client(new, &caller.subject).await?;
    Ok(secret(json(StatusCode::CREATED, &added)))
}

/// `DELETE /clients/{id}`
pub async fn remove(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    path: PathPart,
    _: NoKey,
) -> Result<StatusCode, Problem> {
    accounts.remove_client(id(&path)?, &caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
