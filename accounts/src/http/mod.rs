//! The HTTP API of accounts.

mod auth;
mod clients;
mod oauth;
mod operations;
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
        .open(Method::POST, "/auth/register", auth::register, operations::register)
        .open(Method::POST, "/auth/login", auth::log_in, operations::log_in)
        .open(Method::POST, "/auth/refresh", auth::refresh, operations::refresh)
        .open(Method::POST, "/auth/reset", auth::reset, operations::redeem_reset)
        .route(Method::POST, "/auth/logout", OwnAccount, auth::log_out, operations::log_out)
        .route(Method::GET, "/auth/profile", OwnAccount, auth::profile, operations::profile)
        .route(Method::PATCH, "/auth/profile", OwnAccount, auth::change_profile, operations::change_profile)
        .route(Method::POST, "/auth/password", OwnAccount, auth::change_password, operations::change_password)
        .route(Method::POST, "/auth/verify", InspectToken, oauth::introspect, operations::introspect)
        .open(Method::POST, "/oauth/token", oauth::token, operations::token)
        .open(Method::GET, "/.well-known/jwks.json", oauth::jwks, operations::jwks)
        .route(Method::GET, "/users", ManageUsers, users::list, operations::list_users)
        .route(Method::POST, "/users", ManageUsers, users::add, operations::add_user)
        .route(Method::GET, "/users/{id}", ManageUsers, users::show, operations::show_user)
        .route(Method::PATCH, "/users/{id}", ManageUsers, users::change, operations::change_user)
        .route(Method::DELETE, "/users/{id}", ManageUsers, users::erase, operations::erase_user)
        .route(Method::POST, "/users/{id}/reset", ManageUsers, users::reset, operations::reset_user)
        .route(Method::GET, "/clients", ManageClients, clients::list, operations::list_clients)
        .route(Method::POST, "/clients", ManageClients, clients::add, operations::add_client)
        .route(Method::DELETE, "/clients/{id}", ManageClients, clients::remove, operations::remove_client)
}
