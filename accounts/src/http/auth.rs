//! `/auth/…`: what people do with their own account.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use orderflow_schemas::Role;
use orderflow_web::{Caller, ClientAddress, Json, NoKey, Problem, json};
use schemars::JsonSchema;
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    Accounts, NewPerson, PersonChange, Tokens, authenticator::bearer, metrics::LOGINS, service::RefreshError,
};

/// The body of `POST /auth/register`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
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
}

/// The body of `POST /auth/login`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// The email address or the username.
    login: String,
    /// The password.
    #[schemars(extend("format" = "password"))]
    password: String,
}

/// The body of `POST /auth/refresh`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RefreshRequest {
    /// The refresh token of the last answer.
    refresh_token: String,
}

/// The body of `PATCH /auth/profile`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileRequest {
    /// The email address.
    #[schemars(email, length(max = 254))]
    email: Option<String>,
    /// The name.
    #[schemars(length(min = 1, max = 100), extend("format" = "visible"))]
    name: Option<String>,
    /// A short name to log in with.
    #[schemars(regex(pattern = "^[A-Za-z0-9]{4,20}$"))]
    username: Option<String>,
    /// Needed to change the email address.
    current_password: Option<String>,
}

/// The body of `POST /auth/password`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordRequest {
    /// The password so far.
    #[schemars(extend("format" = "password"))]
    current_password: String,
    /// The new password: 8 to 128 characters, none of the common ones, and not made of words of the account.
    #[schemars(length(min = 8, max = 128), extend("format" = "password"))]
    new_password: String,
}

/// The body of `POST /auth/reset`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetRequest {
    /// The one-time code that an admin has given.
    code: String,
    /// The password: 8 to 128 characters, none of the common ones, and not made of words of the account.
    #[schemars(length(min = 8, max = 128), extend("format" = "password"))]
    password: String,
}

/// A response with secrets, which nothing on the way may keep.
pub(super) fn secret(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) fn tokens(tokens: &Tokens) -> Response {
    secret(json(StatusCode::OK, tokens))
}

pub(super) fn count_login(is_ok: bool) {
    metrics::counter!(LOGINS.name, "outcome" => if is_ok { "ok" } else { "refused" }).increment(1);
}

/// `POST /auth/register`: makes the account of a customer.
pub async fn register(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    _: NoKey,
    Json(request): Json<RegisterRequest>,
) -> Result<Response, Problem> {
    let RegisterRequest { email, password, name, username } = request;
    let new = NewPerson { email, username, name, password, role: Role::Customer };
    let person = accounts.register(new, address).await?;
    Ok(json(StatusCode::CREATED, &person))
}

/// `POST /auth/login`
pub async fn log_in(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    _: NoKey,
    Json(request): Json<LoginRequest>,
) -> Result<Response, Problem> {
    let logged_in = accounts.log_in(&request.login, &request.password, address).await;
    count_login(logged_in.is_ok());
    Ok(tokens(&logged_in?))
}

/// `POST /auth/refresh`
pub async fn refresh(
    State(accounts): State<Arc<Accounts>>,
    _: NoKey,
    Json(request): Json<RefreshRequest>,
) -> Result<Response, Problem> {
    let refreshed = accounts.refresh(&request.refresh_token, None).await;
    Ok(tokens(&refreshed.map_err(|error: RefreshError| Problem::from(error))?))
}

/// `POST /auth/logout`: ends the session of the token. A token of a machine client has no session and ends itself.
pub async fn log_out(
    State(accounts): State<Arc<Accounts>>,
    _: Caller,
    headers: HeaderMap,
    _: NoKey,
) -> Result<StatusCode, Problem> {
    let token = accounts.authenticator().check(bearer(&headers)?)?;
    accounts.log_out(&token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The id of the caller's account; 403 for a machine client, which has none, and for a caller without a token.
fn own_id(caller: &Caller) -> Result<Uuid, Problem> {
    Uuid::try_parse(&caller.subject).map_err(|_| Problem::forbidden("this caller has no account of a person"))
}

/// `GET /auth/profile`
pub async fn profile(State(accounts): State<Arc<Accounts>>, caller: Caller) -> Result<Response, Problem> {
    let person = accounts.person(own_id(&caller)?).await.map_err(as_no_person)?;
    Ok(secret(json(StatusCode::OK, &person)))
}

/// `PATCH /auth/profile`
pub async fn change_profile(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    caller: Caller,
    _: NoKey,
    Json(request): Json<ProfileRequest>,
) -> Result<Response, Problem> {
    let ProfileRequest { email, name, username, current_password } = request;
    let change = PersonChange { email, name, username, ..PersonChange::default() };
    let id = own_id(&caller)?;
    let changed = accounts.change_own_account(id, change, current_password.as_deref(), address).await;
    Ok(secret(json(StatusCode::OK, &changed.map_err(as_no_person)?)))
}

/// `POST /auth/password`
pub async fn change_password(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    caller: Caller,
    _: NoKey,
    Json(request): Json<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    let PasswordRequest { current_password, new_password } = request;
    let changed = accounts.change_password(own_id(&caller)?, &current_password, &new_password, address).await;
    changed.map_err(as_no_person)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /auth/reset`: sets a new password with a one-time code from an admin.
pub async fn reset(
    State(accounts): State<Arc<Accounts>>,
    address: ClientAddress,
    _: NoKey,
    Json(request): Json<ResetRequest>,
) -> Result<Response, Problem> {
    accounts.redeem_reset(&request.code, &request.password, address).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// A machine client that asks for its own account learns that it has none.
fn as_no_person(problem: Problem) -> Problem {
    if problem.slug() == "user-not-found" {
        return Problem::forbidden("this caller has no account of a person");
    }
    problem
}
