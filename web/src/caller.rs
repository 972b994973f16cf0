//! The caller of a request: a role and a subject, which an authenticating middleware puts into the request's
//! extensions.
//!
//! [`insecure_no_auth`] trusts headers; it is meant for development on one machine and for tests. A middleware that
//! checks tokens replaces only that function: handlers see a [`Caller`] and not where it comes from.

use axum::{
    extract::{FromRequestParts, Request},
    middleware::Next,
    response::{IntoResponse, Response},
};
use compact_str::CompactString;
use http::{HeaderMap, HeaderName, request::Parts};
use orderflow_schemas::{Actor, CustomerId, Role};

use crate::{
    Problem,
    access::{Action, Scope},
    headers, local,
};

/// The header that names the caller's role when no tokens are checked.
pub const ROLE_HEADER: HeaderName = HeaderName::from_static("x-orderflow-role");
/// The header that names the caller's subject when no tokens are checked.
pub const SUBJECT_HEADER: HeaderName = HeaderName::from_static("x-orderflow-subject");

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The role in which the caller makes the request.
    pub role: Role,
    /// The account of the caller. For a customer this is the customer id.
    pub subject: CompactString,
}

impl Caller {
    /// The caller in the form in which commands and events name it.
    pub fn actor(&self) -> Actor {
        Actor { role: self.role, subject: self.subject.clone() }
    }

    /// The scope in which the caller may perform this action; 403 if the caller may not perform it at all.
    pub fn may(&self, action: Action) -> Result<Scope, Problem> {
        action.scope(self.role).ok_or_else(|| {
            let names: Vec<_> = action.roles().map(Role::as_str).collect();
            let role = self.role.as_str();
            Problem::forbidden(format!("role {role} may not do this; it takes {}", names.join(" or ")))
        })
    }

    /// Whether the caller may perform this action on an object that belongs to `owner`.
    pub fn may_on(&self, action: Action, owner: &CustomerId) -> bool {
        match action.scope(self.role) {
            Some(Scope::All) => true,
            Some(Scope::Own) => self.subject == owner.as_str(),
            None => false,
        }
    }

    /// The customer id of a caller who is a customer; 403 if the subject is not a customer id.
    pub fn customer(&self) -> Result<CustomerId, Problem> {
        CustomerId::new(self.subject.clone())
            .map_err(|_| Problem::forbidden("the caller's subject is no customer id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let caller = parts.extensions.get::<Self>().cloned();
        caller.ok_or_else(|| Problem::unauthenticated("this needs an access token"))
    }
}

/// Middleware: takes the caller from the headers `X-Orderflow-Role` and `X-Orderflow-Subject`. Without these headers
/// the caller is an admin. It is for a loopback address only and not for web pages: 403 if `Host` or `Origin` names
/// another machine.
pub async fn insecure_no_auth(mut request: Request, next: Next) -> Response {
    match local::check(request.headers()).and_then(|()| claimed(request.headers())) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

fn claimed(given: &HeaderMap) -> Result<Caller, Problem> {
    let role = headers::single(given, &ROLE_HEADER)?.unwrap_or(Role::Admin.as_str());
    let Some(role) = Role::of_client(role) else {
        let detail = "X-Orderflow-Role is none of customer, admin, courier, service, analyst";
        return Err(Problem::bad_request("invalid-role", detail));
    };
    let subject = headers::single(given, &SUBJECT_HEADER)?.unwrap_or(role.as_str());
    let subject = CustomerId::new(subject)
        .map_err(|error| Problem::bad_request("invalid-subject", format!("X-Orderflow-Subject {error}")))?;
    Ok(Caller { role, subject: subject.as_str().into() })
}
