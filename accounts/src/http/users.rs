//! `/users…`: what admins do with the accounts of people.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use http::StatusCode;
use orderflow_schemas::Role;
use orderflow_web::{
    AccountId, Caller, Cursor, FieldError, Id, Json, Limit, List, ListId, NoKey, Page, Paging, Problem,
    Query, access::RoleName, json, query::invalid,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::auth::secret;
use crate::{Accounts, NewPerson, Person, PersonChange, PersonFilter};

/// The query parameters of `GET /users`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsersQuery {
    /// A part of the name, the email address or the username, in any case.
    #[schemars(length(max = 100))]
    q: Option<String>,
    /// The role.
    #[schemars(with = "Option<RoleName>")]
    role: Option<String>,
    #[schemars(with = "Option<Limit>")]
    limit: Option<u32>,
    #[schemars(with = "Option<Cursor>")]
    cursor: Option<String>,
    #[schemars(with = "Option<Page>")]
    page: Option<u32>,
}

/// The body of `POST /users`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserRequest {
    /// The email address, with which the person logs in.
    #[schemars(email, length(max = 254))]
    email: String,
    /// The password: 8 to 128 characters, none of the common ones, and not made of words of the account.
    #[schemars(length(min = 8, max = 128), extend("format" = "password"))]
    password: String,
    /// The name.
    #[schemars(length(min = 1, max = 100), extend("format" = "visible"))]
    name: String,
    /// A short name to log in with.
    #[schemars(regex(pattern = "^[A-Za-z0-9]{4,20}$"))]
    username: Option<String>,
    /// The role.
    #[schemars(with = "RoleName")]
    role: String,
}

/// The body of `PATCH /users/{id}`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserRequest {
    /// The email address.
    #[schemars(email, length(max = 254))]
    email: Option<String>,
    /// The name.
    #[schemars(length(min = 1, max = 100), extend("format" = "visible"))]
    name: Option<String>,
    /// A short name to log in with.
    #[schemars(regex(pattern = "^[A-Za-z0-9]{4,20}$"))]
    username: Option<String>,
    /// The role.
    #[schemars(with = "Option<RoleName>")]
    role: Option<String>,
    /// Whether the person cannot log in.
    disabled: Option<bool>,
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
    Id(AccountId(id)): Id<AccountId>,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &accounts.person(id).await?))
}

/// `PATCH /users/{id}`
pub async fn change(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    Id(AccountId(id)): Id<AccountId>,
    _: NoKey,
    Json(request): Json<UserRequest>,
) -> Result<Response, Problem> {
    let UserRequest { email, name, username, role, disabled } = request;
    let role = role.as_deref().map(role_field).transpose()?;
    let change = PersonChange { email, name, username, role, disabled };
    Ok(json(StatusCode::OK, &accounts.change_person(id, change, &caller.subject).await?))
}

/// `DELETE /users/{id}`: erases the person and keeps the orders.
pub async fn erase(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    Id(AccountId(id)): Id<AccountId>,
    _: NoKey,
) -> Result<StatusCode, Problem> {
    accounts.erase_person(id, &caller.subject).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A code with which a person sets a new password.
#[derive(Serialize, JsonSchema)]
pub struct ResetCode {
    /// The code, which is good once.
    code: String,
    /// The seconds for which the code is valid.
    expires_in: u64,
}

/// `POST /users/{id}/reset`: a one-time code for a person who has forgotten the password.
pub async fn reset(
    State(accounts): State<Arc<Accounts>>,
    caller: Caller,
    Id(AccountId(id)): Id<AccountId>,
    _: NoKey,
) -> Result<Response, Problem> {
    let (code, valid) = accounts.reset_password(id, &caller.subject).await?;
    Ok(secret(json(StatusCode::OK, &ResetCode { code, expires_in: valid.as_secs() })))
}
