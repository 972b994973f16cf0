//! Routes, each declared with the action that its caller must be allowed to perform, and with its description.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};
use http::Method;

use crate::{
    OtherMediaTypes,
    access::Action,
    openapi::{Operation, Signature},
};

/// Adds a part of the description of a route.
pub type DescribeRoute = fn(&mut Operation<'_>);

/// The declaration of a route.
#[derive(Clone, Debug)]
pub struct Route {
    /// The HTTP method of the route.
    pub method: Method,
    /// The path of the route, with its variable parts in braces.
    pub path: &'static str,
    /// The action that the caller must be allowed to perform; `None` if the route needs no caller.
    pub action: Option<Action>,
    /// Describes what the route takes, as its handler reads it.
    pub takes: DescribeRoute,
    /// Describes what the route does and answers.
    pub describe: DescribeRoute,
}

/// Routes and their declarations. `S` is the state that the handlers still lack.
///
/// Routes that need a caller and routes that need none are kept apart, so that authentication can be put around the
/// former only: probes and scrapes carry no token.
#[derive(Debug)]
pub struct Routes<S = ()> {
    authenticated: Router<S>,
    open: Router<S>,
    declared: Vec<Route>,
    other_media_types: OtherMediaTypes,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self {
            authenticated: Router::new(),
            open: Router::new(),
            declared: Vec::new(),
            other_media_types: OtherMediaTypes::default(),
        }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// An empty set of routes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route whose caller must be allowed to perform `action`; [`crate::AuthenticateLayer`] checks it. The handler
    /// takes a [`crate::Caller`], so that without the layer it answers 401.
    #[must_use]
    pub fn route<H, T, P>(
        mut self,
        method: Method,
        path: &'static str,
        action: Action,
        handler: H,
        describe: DescribeRoute,
    ) -> Self
    where
        H: Handler<T, S> + Signature<P>,
        T: 'static,
    {
        self.authenticated = self.authenticated.route(path, on(filter(&method), handler));
        self.declared.push(Route { method, path, action: Some(action), takes: H::describe, describe });
        self
    }

    /// Adds a route that everyone may call without authentication.
    #[must_use]
    pub fn open<H, T, P>(
        mut self,
        method: Method,
        path: &'static str,
        handler: H,
        describe: DescribeRoute,
    ) -> Self
    where
        H: Handler<T, S> + Signature<P>,
        T: 'static,
    {
        self.open = self.open.route(path, on(filter(&method), handler));
        self.declared.push(Route { method, path, action: None, takes: H::describe, describe });
        self
    }

    /// Declares that a path sends these media types besides JSON.
    #[must_use]
    pub fn sends(mut self, path: &'static str, media_types: &'static [&'static str]) -> Self {
        self.other_media_types.add(path, media_types);
        self
    }

    /// Gives the handlers their state.
    #[must_use]
    pub fn with_state(self, state: S) -> Routes {
        Routes {
            authenticated: self.authenticated.with_state(state.clone()),
            open: self.open.with_state(state),
            declared: self.declared,
            other_media_types: self.other_media_types,
        }
    }

    /// The routes of both sets.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.authenticated = self.authenticated.merge(other.authenticated);
        self.open = self.open.merge(other.open);
        self.declared.extend(other.declared);
        self.other_media_types.extend(other.other_media_types);
        self
    }

    /// The declarations of all routes, in the order in which they were added.
    pub fn declared(&self) -> &[Route] {
        &self.declared
    }

    /// The media types that paths send besides JSON.
    pub fn other_media_types(&self) -> &OtherMediaTypes {
        &self.other_media_types
    }

    /// The routes that need a caller, and the routes that need none.
    pub fn into_routers(self) -> (Router<S>, Router<S>) {
        (self.authenticated, self.open)
    }
}

fn filter(method: &Method) -> MethodFilter {
    method.clone().try_into().expect("routes have methods that axum knows")
}
