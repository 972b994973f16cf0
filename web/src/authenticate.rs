//! The layer around all routes that need a caller. It determines the caller, and whether the caller may use the route at
//! all, before anything else looks at the request: headers and bodies of others are not even parsed. In between it
//! counts the request for the caller, so that also requests that are refused with 403 have a limit.
//!
//! How callers are determined is exchangeable: access tokens, or headers that are trusted ([`TrustedHeaders`]).

use std::{
    collections::HashMap,
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
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

use crate::{Action, Caller, Problem, RequestLimits, Route, headers, local};

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
    limits: RequestLimits,
    /// The action of each route that has one.
    actions: HashMap<&'static str, Vec<(Method, Action)>, foldhash::fast::RandomState>,
}

impl AuthenticateLayer {
    /// A layer that asks this authenticator, and lets callers use these routes as their actions say. Only callers with
    /// a limit of their own are limited.
    pub fn new(authenticator: Arc<dyn Authenticator>, routes: &[Route]) -> Self {
        Self::limited(authenticator, routes, RequestLimits::default())
    }

    /// The same layer with these limits on the requests of each caller.
    pub fn limited(authenticator: Arc<dyn Authenticator>, routes: &[Route], limits: RequestLimits) -> Self {
        let mut actions: HashMap<_, Vec<_>, _> = HashMap::default();
        for Route { method, path, action, .. } in routes {
            actions.entry(*path).or_default().extend(action.map(|action| (method.clone(), action)));
        }
        Self(Arc::new(Rules { authenticator, limits, actions }))
    }
}

impl Rules {
    /// An error if the caller may not use the route of the request.
    fn check(&self, request: &Request, caller: &Caller) -> Result<(), Problem> {
        let route =
            request.extensions().get::<MatchedPath>().and_then(|path| self.actions.get(path.as_str()));
        // The router sends HEAD to the handler of GET.
        let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
        let action = route.and_then(|route| route.iter().find(|(known, _)| known == method));
        if let Some((_, action)) = action {
            caller.may(*action)?;
        }
        Ok(())
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

/// The response of a route to a caller with a limit, with the headers of the limit.
type Limited = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

impl<S> Service<Request> for Authenticate<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    /// Only the futures of limited callers are boxed, so that the others do not pay for limits.
    type Future = Either<Ready<Result<Response, Infallible>>, Either<S::Future, Limited>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let refuse = |problem: Problem| Either::Left(ready(Ok(problem.into_response())));
        let caller = match self.rules.authenticator.authenticate(request.headers()) {
            Ok(caller) => caller,
            Err(problem) => return refuse(problem),
        };
        let standing = match self.rules.limits.count(&caller) {
            Ok(standing) => standing,
            Err(problem) => return refuse(problem),
        };
        let checked = self.rules.check(&request, &caller);
        request.extensions_mut().insert(caller);
        match (checked, standing) {
            (Ok(()), None) => Either::Right(Either::Left(self.inner.call(request))),
            (Ok(()), Some(standing)) => {
                let answer = self.inner.call(request);
                Either::Right(Either::Right(Box::pin(async move {
                    let mut response = answer.await?;
                    standing.add(&mut response);
                    Ok(response)
                })))
            }
            (Err(problem), None) => refuse(problem),
            (Err(problem), Some(standing)) => {
                let mut response = problem.into_response();
                standing.add(&mut response);
                Either::Left(ready(Ok(response)))
            }
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
