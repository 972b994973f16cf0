//! The routes of a server, and the layers around them.

use std::sync::Arc;

use axum::{Router, response::IntoResponse};
use orderflow_web::{AuthenticateLayer, Authenticator, Problem, RequestLimits, Routes};
use tower::util::MapRequestLayer;
use tower_http::catch_panic::CatchPanicLayer;

use crate::telemetry::request_context::note_route;

/// The router of these routes with its layers. Routes for callers determine the caller by the authenticator and count
/// the request; health and metrics need no caller and have no limit.
pub(super) fn router(routes: Routes, authenticator: Arc<dyn Authenticator>, limits: RequestLimits) -> Router {
    let authenticate = AuthenticateLayer::limited(authenticator, routes.declared(), limits);
    let (authenticated, open) = routes.into_routers();
    // One layer made of two: a router copies everything inside of a layer for each request.
    let around_all = (
        MapRequestLayer::new(note_route),
        CatchPanicLayer::custom(|_| Problem::internal("a handler panicked").into_response()),
    );
    authenticated
        .fallback(no_such_route)
        .method_not_allowed_fallback(no_such_method)
        .layer(authenticate)
        .merge(open.method_not_allowed_fallback(no_such_method))
        .layer(around_all)
}

async fn no_such_route(uri: http::Uri) -> Problem {
    Problem::not_found("no-such-route", format!("there is nothing at {}", uri.path()))
}

async fn no_such_method(method: http::Method, uri: http::Uri) -> Problem {
    let detail = format!("{} does not take {method}", uri.path());
    Problem::new(http::StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail)
}
