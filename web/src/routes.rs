//! Routes, each declared with who may call it.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};
use http::Method;

use crate::access::Action;

/// A route as it was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// Its path, with the variable parts in braces.
    pub path: &'static str,
    /// What its caller must be allowed to do; `None` if no caller is asked for.
    pub action: Option<Action>,
}

/// Routes by their declaration. `S` is the state that handlers still lack.
///
/// Those for callers and those for everybody are kept apart, so that authentication is put around the former only:
/// probes and scrapes carry no token.
#[derive(Debug)]
pub struct Routes<S = ()> {
    authenticated: Router<S>,
    open: Router<S>,
    declared: Vec<Route>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self { authenticated: Router::new(), open: Router::new(), declared: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// No routes yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A route whose handler asks whether its caller may do this.
    #[must_use]
    pub fn route<H, T>(mut self, method: Method, path: &'static str, action: Action, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.authenticated = self.authenticated.route(path, on(filter(&method), handler));
        self.declared.push(Route { method, path, action: Some(action) });
        self
    }

    /// A route for everybody, without authentication.
    #[must_use]
    pub fn open<H, T>(mut self, method: Method, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.open = self.open.route(path, on(filter(&method), handler));
        self.declared.push(Route { method, path, action: None });
        self
    }

    /// Gives the handlers their state.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        Routes {
            authenticated: self.authenticated.with_state(state.clone()),
            open: self.open.with_state(state),
            declared: self.declared,
        }
    }

    /// The routes of both.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.authenticated = self.authenticated.merge(other.authenticated);
        self.open = self.open.merge(other.open);
        self.declared.extend(other.declared);
        self
    }

    /// Every route.
    pub fn declared(&self) -> &[Route] {
        &self.declared
    }

    /// The routes that need a caller, and those that do not.
    pub fn into_routers(self) -> (Router<S>, Router<S>) {
        (self.authenticated, self.open)
    }
}

fn filter(method: &Method) -> MethodFilter {
    method.clone().try_into().expect("routes have methods that axum knows")
}
