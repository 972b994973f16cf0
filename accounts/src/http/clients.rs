//! `/clients…`: what admins do with machine clients.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use orderflow_schemas::Role;
use orderflow_web::{AccountId, Caller, FieldError, Id, Json, NoKey, Problem, Scope, Scopes, json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::secret;
use crate::{Accounts, Client, NewClient};

/// The body of `POST /clients`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientRequest {
    /// What the client is.
    #[schemars(length(min = 1, max = 100), extend("format" = "visible"))]
    name: String,
    /// The role.
    #[schemars(extend("enum" = ["service", "courier", "analyst"]))]
    role: String,
    /// The scopes that the client may ask for; by default all that its role can use.
    #[schemars(with = "Option<Vec<Scope>>")]
    scopes: Option<Vec<String>>,
    /// The requests a second that the client may send; by default as the server's settings say.
    #[schemars(range(min = 1, max = 1_000_000))]
    requests_per_second: Option<i64>,
}

/// All machine clients.
#[derive(Serialize, JsonSchema)]
pub struct Clients {
    /// The clients.
    items: Vec<Client>,
    /// Always null: there are few clients, so the list has one part.
    next_cursor: Option<String>,
}

/// `GET /clients`
pub async fn list(State(accounts): State<Arc<Accounts>>, _: Caller) -> Result<Response, Problem> {
    let clients = accounts.clients().await?;
    Ok(json(StatusCode::OK, &Clients { items: clients, next_cursor: None }))
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
    Id(AccountId(id)): Id<AccountId>,
    _: NoKey,
) -> Result<StatusCode, Problem> {
    accounts.remove_client(id, &caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}
