//! `/users…`: what admins do with the accounts of people.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use orderflow_schemas::Role;
use orderflow_web::{
    Caller, FieldError, Json, List, ListId, NoKey, Paging, PathPart, Problem, Query, json, query::invalid,
};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::auth::secret;
use crate::{Accounts, NewPerson, Person, PersonChange, PersonFilter};

/// The query parameters of `GET /users`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UsersQuery {
    q: Option<String>,
    role: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
    page: Option<u32>,
}

/// The body of `POST /users`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUserRequest {
    email: String,
    password: String,
    name: String,
    username: Option<String>,
    role: String,
}

/// The body of `PATCH /users/{id}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    email: Option<String>,
    name: Option<String>,
    username: Option<String>,
    role: Option<String>,
    disabled: Option<bool>,
}

/// The id of a user or client in a path.
pub(super) fn id(path: &PathPart) -> Result<Uuid, Problem> {
    let PathPart(text) = path;
    let canonical = Uuid::try_parse(text).ok().filter(|id| id.to_string() == *text);
    canonical.ok_or_else(|| Problem::bad_request("invalid-id", format!("`{text}` in the path is no id")))
}

fn role_of_person(text: &str) -> Result<Role, &'static str> {
    Role::of_client(text).ok_or("must be customer, admin, courier, service or analyst")
}

fn role_field(text: &str) -> Result<Role, Problem> {
    role_of_person(text).map_err(|detail| Problem::invalid(vec![FieldError::new("/role", detail)]))
}

/// `GET /users`
pub async fn list(
    State(accounts): State<Arc<Accounts>>,
    _: Caller,
    Query(query): Query<UsersQuery>,
) -> Result<axum::Json<List<Person>>, Problem> {
    let UsersQuery { q, role, limit, cursor, page } = query;
    if q.as_ref().is_some_and(|text| text.chars().count() > 100) {
        return Err(invalid("q", "must have at most 100 letters"));
    }
    let list = ListId::new("users", [q.as_ref(), role.as_ref()]);
    let role = role.as_deref().map(role_of_person).transpose().map_err(|detail| invalid("role", detail))?;
    let paging = Paging::new(list, limit, cursor.as_deref(), page)?;
    let filter = PersonFilter { text: q, role };
    let people = accounts.people(&filter, &paging.slice()).await?;
    let total = if paging.is_counted() { Some(accounts.count_people(&filter).await?) } else { None };
    Ok(axum::Json(paging.answer(people, |person| person.id, total)))
}

/// `POST /users`
pub async fn add(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    _: NoKey,
    Json(request): Json<NewUserRequest>,
) -> Result<Response, Problem> {
    let NewUserRequest { email, password, name, username, role } = request;
    let new = NewPerson { email, username, name, password, role: role_field(&role)? };
    let person = accounts.add_person(new, Some(&caller.subject)).await?;
    Ok(json(StatusCode::CREATED, &person))
}

/// `GET /users/{id}`
pub async fn show(
    State(accounts): State<Arc<Accounts>>,
    _: Caller,
    path: PathPart,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &accounts.person(id(&path)?).await?))
}

/// `PATCH /users/{id}`
pub async fn change(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    path: PathPart,
    _: NoKey,
    Json(request): Json<UserRequest>,
) -> Result<Response, Problem> {
    let UserRequest { email, name, username, role, disabled } = request;
    let role = role.as_deref().map(role_field).transpose()?;
    let change = PersonChange { email, name, username, role, disabled };
    Ok(json(StatusCode::OK, &accounts.change_person(id(&path)?, change, &caller.subject).await?))
}

/// `DELETE /users/{id}`: erases the person and keeps the orders.
pub async fn erase(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    path: PathPart,
    _: NoKey,
) -> Result<StatusCode, Problem> {
    accounts.erase_person(id(&path)?, &caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /users/{id}/reset`: a one-time code for a person who has forgotten the password.
pub async fn reset(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    path: PathPart,
    _: NoKey,
) -> Result<Response, Problem> {
    let (code, valid) = accounts.reset_password(id(&path)?, &caller.subject).await?;
    Ok(secret(json(StatusCode::OK, &json!({ "code": code, "expires_in": valid.as_secs() }))))
}
