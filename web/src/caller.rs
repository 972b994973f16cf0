//! The caller of a request: a role, a subject and scopes, which the layer around the routes ([`crate::authenticate`])
//! puts into the request's extensions.

use std::num::NonZeroU32;

use axum::extract::FromRequestParts;
use compact_str::CompactString;
use http::request::Parts;
use orderflow_schemas::{Actor, CustomerId, Lifecycle, Order, Role};

use crate::{
    Problem,
    access::{Action, Reach},
    openapi::Describe,
    scopes::Scopes,
};

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The role in which the caller makes the request.
    pub role: Role,
    /// The account of the caller: of a person or of a machine client. For a customer this is the customer id.
    pub subject: CompactString,
    /// The scopes of the caller's token.
    pub scopes: Scopes,
    /// The requests a second that this caller may send, in place of the limit of every caller.
    pub requests_per_second: Option<NonZeroU32>,
}

impl Caller {
    /// A caller who has all scopes of the role and no limit of its own.
    pub fn new(role: Role, subject: impl Into<CompactString>) -> Self {
        Self { role, subject: subject.into(), scopes: Scopes::of_role(role), requests_per_second: None }
    }

    /// The caller in the form in which commands and events name it.
    pub fn actor(&self) -> Actor {
        Actor { role: self.role, subject: self.subject.clone() }
    }

    /// The objects on which the caller may perform this action; 403 if the role or the scopes do not allow it at all.
    pub fn may(&self, action: Action) -> Result<Reach, Problem> {
        let reach = action.reach(self.role).ok_or_else(|| {
            let names: Vec<_> = action.roles().map(Role::as_str).collect();
            let role = self.role.as_str();
            Problem::forbidden(format!("role {role} may not do this; it takes {}", names.join(" or ")))
        })?;
        let all = Scopes::of_role(self.role);
        let missing = match action.needs_all_scopes() {
            true => all.iter().find(|scope| !self.scopes.contains(*scope)),
            false => action.scope().filter(|scope| !self.scopes.contains(*scope)),
        };
        match missing {
            None => Ok(reach),
            Some(scope) => Err(Problem::insufficient_scope(scope)),
        }
    }

    /// Whether the caller may perform this action on this order.
    pub fn may_on(&self, action: Action, order: &Order, lifecycle: &Lifecycle) -> bool {
        match self.may(action) {
            Ok(Reach::All) => true,
            Ok(Reach::Own) => self.subject == order.customer_id.as_str(),
            Ok(Reach::Handed) => lifecycle.hands(order, &self.subject),
            Err(_) => false,
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

/// The document has what a route asks of its caller from the route's action.
impl Describe for Caller {}
