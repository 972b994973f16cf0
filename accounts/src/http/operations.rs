//! The descriptions of the routes: what each does and answers. What it takes is known from its handler.

use http::StatusCode;
use orderflow_web::{List, openapi::Operation};
use serde_json::json;

use super::{
    clients::Clients,
    oauth::{ErrorBody, Introspection, IntrospectionForm, KeySet, TokenForm},
    users::ResetCode,
};
use crate::{NewClientSecret, Person, Tokens};

const ACCOUNT: &str = "account";
const TOKENS: &str = "tokens";
const USERS: &str = "users";
const CLIENTS: &str = "clients";

/// `POST /auth/register`
pub fn register(operation: &mut Operation<'_>) {
    operation
        .is(
            ACCOUNT,
            "Make an account",
            "The account of a customer. Whether an email address has an account is no secret here.",
        )
        .example(json!({ "email": "ann@example.com", "password": "a copper kettle sings", "name": "Ann" }))
        .answers::<Person>(StatusCode::CREATED, "The account.")
        .fails(StatusCode::CONFLICT, "account-exists")
        .fails(StatusCode::TOO_MANY_REQUESTS, "too-many-requests")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "accounts-unavailable");
}

/// `POST /auth/login`
pub fn log_in(operation: &mut Operation<'_>) {
    operation
        .is(TOKENS, "Log in", "By email address or username.")
        .example(json!({ "login": "ann@example.com", "password": "a copper kettle sings" }))
        .answers::<Tokens>(StatusCode::OK, "The tokens.")
        .fails(StatusCode::UNAUTHORIZED, "invalid-credentials");
    guarded(operation);
}

/// `POST /auth/refresh`
pub fn refresh(operation: &mut Operation<'_>) {
    operation
        .is(
            TOKENS,
            "Get new tokens for a refresh token",
            "Each refresh token is good once; for 10 seconds a repeat gets the same successor. Later a repeat ends the \
             session.",
        )
        .answers::<Tokens>(StatusCode::OK, "The tokens.")
        .fails(StatusCode::UNAUTHORIZED, "invalid-refresh-token")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "accounts-unavailable");
}

/// `POST /auth/reset`
pub fn redeem_reset(operation: &mut Operation<'_>) {
    operation
        .is(
            ACCOUNT,
            "Set a forgotten password",
            "With the one-time code of an admin. It ends all sessions of the account.",
        )
        .answers_nothing(StatusCode::NO_CONTENT, "The password is set.")
        .fails(StatusCode::BAD_REQUEST, "invalid-code");
    guarded(operation);
}

/// `POST /auth/logout`
pub fn log_out(operation: &mut Operation<'_>) {
    operation
        .is(TOKENS, "Log out", "Ends the session of the token.")
        .answers_nothing(StatusCode::NO_CONTENT, "The session has ended.");
}

/// `GET /auth/profile`
pub fn profile(operation: &mut Operation<'_>) {
    operation.is(ACCOUNT, "See the own account", "").answers::<Person>(StatusCode::OK, "The account.");
}

/// `PATCH /auth/profile`
pub fn change_profile(operation: &mut Operation<'_>) {
    operation
        .is(
            ACCOUNT,
            "Change the own account",
            "What is absent stays. Another email address needs the password.",
        )
        .example(json!({ "name": "Ann Other" }))
        .answers::<Person>(StatusCode::OK, "The account.")
        .fails(StatusCode::CONFLICT, "account-exists");
    guarded(operation);
}

/// `POST /auth/password`
pub fn change_password(operation: &mut Operation<'_>) {
    operation
        .is(ACCOUNT, "Change the own password", "It ends all sessions of the account.")
        .answers_nothing(StatusCode::NO_CONTENT, "The password is changed.")
        .fails(StatusCode::CONFLICT, "password-changed");
    guarded(operation);
}

/// `POST /auth/verify`
pub fn introspect(operation: &mut Operation<'_>) {
    operation
        .is(TOKENS, "Ask whether a token is valid", "RFC 7662.")
        .takes_form::<IntrospectionForm>()
        .answers::<Introspection<'_>>(StatusCode::OK, "What the token is good for.");
    oauth_errors(operation);
}

/// `POST /oauth/token`
pub fn token(operation: &mut Operation<'_>) {
    operation
        .is(
            TOKENS,
            "Get a token for a machine client",
            "RFC 6749: the grants `client_credentials` and `refresh_token`.",
        )
        .takes_form::<TokenForm>()
        .answers::<Tokens>(StatusCode::OK, "The tokens.")
        .answers::<ErrorBody<'_>>(StatusCode::UNAUTHORIZED, "The client did not authenticate.")
        .answers::<ErrorBody<'_>>(StatusCode::TOO_MANY_REQUESTS, "Too many failures.");
    oauth_errors(operation);
}

/// `GET /.well-known/jwks.json`
pub fn jwks(operation: &mut Operation<'_>) {
    operation
        .is(TOKENS, "See the keys that tokens are signed with", "RFC 7517.")
        .answers::<KeySet>(StatusCode::OK, "The public keys.");
}

/// `GET /users`
pub fn list_users(operation: &mut Operation<'_>) {
    operation
        .is(USERS, "List people", "")
        .answers::<List<Person>>(StatusCode::OK, "A part of the list.")
        .fails(StatusCode::BAD_REQUEST, "page-too-deep");
}

/// `POST /users`
pub fn add_user(operation: &mut Operation<'_>) {
    operation
        .is(USERS, "Make the account of a person", "")
        .example(json!({ "email": "carl@example.com", "password": "a copper kettle sings", "name": "Carl", "role": "courier" }))
        .answers::<Person>(StatusCode::CREATED, "The account.")
        .leads_to(StatusCode::CREATED, "get_users_id", "id", "$response.body#/id")
        .leads_to(StatusCode::CREATED, "patch_users_id", "id", "$response.body#/id")
        .leads_to(StatusCode::CREATED, "delete_users_id", "id", "$response.body#/id")
        .leads_to(StatusCode::CREATED, "post_users_id_reset", "id", "$response.body#/id")
        .fails(StatusCode::CONFLICT, "account-exists");
}

/// `GET /users/{id}`
pub fn show_user(operation: &mut Operation<'_>) {
    operation.is(USERS, "See a person", "").answers::<Person>(StatusCode::OK, "The account.");
    names_user(operation);
}

/// `PATCH /users/{id}`
pub fn change_user(operation: &mut Operation<'_>) {
    operation
        .is(
            USERS,
            "Change the account of a person",
            "What is absent stays. Disabling an account, or changing its role, ends all its sessions.",
        )
        .example(json!({ "disabled": true }))
        .answers::<Person>(StatusCode::OK, "The account.")
        .fails(StatusCode::CONFLICT, "account-exists")
        .fails(StatusCode::CONFLICT, "last-admin");
    names_user(operation);
}

/// `DELETE /users/{id}`
pub fn erase_user(operation: &mut Operation<'_>) {
    operation
        .is(USERS, "Erase a person", "The orders of the person stay, without a name.")
        .answers_nothing(StatusCode::NO_CONTENT, "The person is erased.")
        .fails(StatusCode::CONFLICT, "last-admin");
    names_user(operation);
}

/// `POST /users/{id}/reset`
pub fn reset_user(operation: &mut Operation<'_>) {
    operation
        .is(
            USERS,
            "Get a code for a forgotten password",
            "The person sets a new password with it at `POST /auth/reset`.",
        )
        .answers::<ResetCode>(StatusCode::OK, "The code.");
    names_user(operation);
}

/// `GET /clients`
pub fn list_clients(operation: &mut Operation<'_>) {
    operation.is(CLIENTS, "List machine clients", "").answers::<Clients>(StatusCode::OK, "All clients.");
}

/// `POST /clients`
pub fn add_client(operation: &mut Operation<'_>) {
    operation
        .is(CLIENTS, "Add a machine client", "The answer has its secret, which is shown only now.")
        .example(json!({ "name": "the shop", "role": "service", "scopes": ["orders:write", "stock:read"] }))
        .answers::<NewClientSecret>(StatusCode::CREATED, "The client and its secret.")
        .leads_to(StatusCode::CREATED, "delete_clients_id", "id", "$response.body#/id");
}

/// `DELETE /clients/{id}`
pub fn remove_client(operation: &mut Operation<'_>) {
    operation
        .is(CLIENTS, "Remove a machine client", "Its tokens are refused within five seconds.")
        .answers_nothing(StatusCode::NO_CONTENT, "The client is removed.")
        .fails(StatusCode::NOT_FOUND, "client-not-found");
}

/// Checks a secret, so failures are limited and hashing takes a turn.
fn guarded(operation: &mut Operation<'_>) {
    operation
        .fails(StatusCode::TOO_MANY_REQUESTS, "too-many-failures")
        .fails(StatusCode::SERVICE_UNAVAILABLE, "accounts-unavailable");
}

fn names_user(operation: &mut Operation<'_>) {
    operation.fails(StatusCode::NOT_FOUND, "user-not-found");
}

fn oauth_errors(operation: &mut Operation<'_>) {
    operation
        .answers::<ErrorBody<'_>>(StatusCode::BAD_REQUEST, "The request is not valid.")
        .answers::<ErrorBody<'_>>(StatusCode::SERVICE_UNAVAILABLE, "The server cannot answer now.")
        .has_own_errors();
}
