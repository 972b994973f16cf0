//! The HTTP API of accounts.

mod auth;
mod clients;
mod oauth;
mod users;

use std::sync::Arc;

use http::Method;
use orderflow_web::{
    Action::{InspectToken, ManageClients, ManageUsers, OwnAccount},
    Route, Routes,
};

use crate::Accounts;

/// The routes of accounts, with `accounts` as their state.
pub fn routes(accounts: Arc<Accounts>) -> Routes {
    unbound().with_state(accounts)
}

/// The declarations of these routes.
pub fn declared() -> Vec<Route> {
    unbound().declared().to_vec()
}

fn unbound() -> Routes<Arc<Accounts>> {
    Routes::new()
        .open(Method::POST, "/auth/register", auth::register)
        .open(Method::POST, "/auth/login", auth::log_in)
        .open(Method::POST, "/auth/refresh", auth::refresh)
        .open(Method::POST, "/auth/reset", auth::reset)
        .route(Method::POST, "/auth/logout", OwnAccount, auth::log_out)
        .route(Method::GET, "/auth/profile", OwnAccount, auth::profile)
        .route(Method::PATCH, "/auth/profile", OwnAccount, auth::change_profile)
        .route(Method::POST, "/auth/password", OwnAccount, auth::change_password)
        .route(Method::POST, "/auth/verify", InspectToken, oauth::introspect)
        .open(Method::POST, "/oauth/token", oauth::token)
        .open(Method::GET, "/.well-known/jwks.json", oauth::jwks)
        .route(Method::GET, "/users", ManageUsers, users::list)
        .route(Method::POST, "/users", ManageUsers, users::add)
        .route(Method::GET, "/users/{id}", ManageUsers, users::show)
        .route(Method::PATCH, "/users/{id}", ManageUsers, users::change)
        .route(Method::DELETE, "/users/{id}", ManageUsers, users::erase)
        .route(Method::POST, "/users/{id}/reset", ManageUsers, users::reset)
        .route(Method::GET, "/clients", ManageClients, clients::list)
        .route(Method::POST, "/clients", ManageClients, clients::add)
        .route(Method::DELETE, "/clients/{id}", ManageClients, clients::remove)
}
