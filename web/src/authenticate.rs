//! The layer around all routes that need a caller. It determines the caller, and whether the caller may use the route at
//! all, before anything else looks at the request: headers and bodies of others are not even parsed.
//!
//! How callers are determined is exchangeable: access tokens, or headers that are trusted ([`TrustedHeaders`]).

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    extract::{MatchedPath, Request},
    response::{IntoResponse, Response},
};
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, Method};
use orderflow_schemas::{CustomerId, Role};
use tower::{Layer, Service};

use crate::{Action, Caller, Problem, Route, headers, local};

/// Determines the callers of requests.
pub trait Authenticator: Send + Sync + 'static {
    /// The caller of a request with these headers, or the response that it gets instead: 401, or 503 if callers cannot
    /// be determined now. It does not wait.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Problem>;
}

/// The layer that puts the [`Caller`] into each request, or answers the request with a problem.
#[derive(Clone)]
pub struct AuthenticateLayer(Arc<Rules>);

struct Rules {
    authenticator: Arc<dyn Authenticator>,
    /// The action of each route that has one.
    actions: HashMap<&'static str, Vec<(Method, Action)>, foldhash::fast::RandomState>,
}

impl AuthenticateLayer {
    /// A layer that asks this authenticator, and lets callers use these routes as their actions say.
    pub fn new(authenticator: Arc<dyn Authenticator>, routes: &[Route]) -> Self {
        let mut actions: HashMap<_, Vec<_>, _> = HashMap::default();
        for Route { method, path, action, .. } in routes {
            actions.entry(*path).or_default().extend(action.map(|action| (method.clone(), action)));
        }
        Self(Arc::new(Rules { authenticator, actions }))
    }
}

impl Rules {
    fn caller(&self, request: &Request) -> Result<Caller, Problem> {
        let caller = self.authenticator.authenticate(request.headers())?;
        let route =
            request.extensions().get::<MatchedPath>().and_then(|path| self.actions.get(path.as_str()));
        let action = route.and_then(|route| route.iter().find(|(method, _)| method == request.method()));
        if let Some((_, action)) = action {
            caller.may(*action)?;
        }
        Ok(caller)
    }
}

impl<S> Layer<S> for AuthenticateLayer {
    type Service = Authenticate<S>;

    fn layer(&self, inner: S) -> Authenticate<S> {
        Authenticate { rules: self.0.clone(), inner }
    }
}

/// The service that [`AuthenticateLayer`] makes.
#[derive(Clone)]
pub struct Authenticate<S> {
    rules: Arc<Rules>,
    inner: S,
}

impl<S> Service<Request> for Authenticate<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.rules.caller(&request) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                Either::Right(self.inner.call(request))
            }
            Err(problem) => Either::Left(ready(Ok(problem.into_response()))),
        }
    }
}

/// The header that names the caller's role when no tokens are checked.
pub const ROLE_HEADER: HeaderName = HeaderName::from_static("x-orderflow-role");
/// The header that names the caller's subject when no tokens are checked.
pub const SUBJECT_HEADER: HeaderName = HeaderName::from_static("x-orderflow-subject");

/// Takes the caller from the headers `X-Orderflow-Role` and `X-Orderflow-Subject`, with all scopes of the role. Without
/// these headers the caller is an admin. It is for a loopback address only, for development and tests, and not for web
/// pages: 403 if `Host` or `Origin` names another machine.
#[derive(Clone, Copy, Debug)]
pub struct TrustedHeaders;

impl Authenticator for TrustedHeaders {
    fn authenticate(&self, given: &HeaderMap) -> Result<Caller, Problem> {
        local::check(given)?;
        let role = headers::single(given, &ROLE_HEADER)?.unwrap_or(Role::Admin.as_str());
        let Some(role) = Role::of_client(role) else {
            let detail = "X-Orderflow-Role is none of customer, admin, courier, service, analyst";
            return Err(Problem::bad_request("invalid-role", detail));
        };
        let subject = headers::single(given, &SUBJECT_HEADER)?.unwrap_or(role.as_str());
        let subject = CustomerId::new(subject).map_err(|error| {
            Problem::bad_request("invalid-subject", format!("X-Orderflow-Subject {error}"))
        })?;
        Ok(Caller::new(role, subject.as_str()))
    }
}
