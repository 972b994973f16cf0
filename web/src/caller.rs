//! Who calls: a role and a subject, put into the request's extensions by an authenticating middleware.
//!
//! [`insecure_no_auth`] believes headers, for a laptop and for tests. A middleware that checks tokens replaces only
//! that function: handlers see a [`Caller`] and never how it came to be.

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

/// The header that names the caller's role when nobody checks tokens.
pub const ROLE_HEADER: HeaderName = HeaderName::from_static("x-orderflow-role");
/// The header that names the caller's subject when nobody checks tokens.
pub const SUBJECT_HEADER: HeaderName = HeaderName::from_static("x-orderflow-subject");

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// In which role.
    pub role: Role,
    /// The account; for a customer the customer id.
    pub subject: CompactString,
}

impl Caller {
    /// The caller as commands and events name them.
    pub fn actor(&self) -> Actor {
        Actor { role: self.role, subject: self.subject.clone() }
    }

    /// How far the caller may go with this action; 403 if not at all.
    pub fn may(&self, action: Action) -> Result<Scope, Problem> {
        action.scope(self.role).ok_or_else(|| {
            let names: Vec<_> = action.roles().map(Role::as_str).collect();
            let role = self.role.as_str();
            Problem::forbidden(format!("role {role} may not do this; it takes {}", names.join(" or ")))
        })
    }

    /// Whether the caller may do this to what belongs to `owner`.
    pub fn may_on(&self, action: Action, owner: &CustomerId) -> bool {
        match action.scope(self.role) {
            Some(Scope::All) => true,
            Some(Scope::Own) => self.subject == owner.as_str(),
            None => false,
        }
    }

    /// The customer that the caller is.
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

/// Middleware: the caller is who the headers `X-Orderflow-Role` and `X-Orderflow-Subject` say, an admin without
/// them. For a loopback address only, and not for web pages: 403 where `Host` or `Origin` names another machine.
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
