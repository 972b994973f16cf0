//! Every request before it is routed. One service around the router, since each layer of a router costs every request
//! a copy of all that is within it.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::Pin,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response},
    serve::IncomingStream,
};
use orderflow_web::{BodyLimit, host::require_host};
use tower::Service;

use crate::listener::{BoundedListener, Slot};

/// Makes a [`Front`] for each connection.
#[derive(Clone)]
pub struct FrontDoor {
    router: Router,
    body_limit: BodyLimit,
}

impl FrontDoor {
    /// Routes requests by `router`, whose bodies may have so many bytes.
    pub fn new(router: Router, body_limit: BodyLimit) -> Self {
        Self { router, body_limit }
    }
}

impl Service<IncomingStream<'_, BoundedListener>> for FrontDoor {
    type Response = Front;
    type Error = Infallible;
    type Future = Ready<Result<Front, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, stream: IncomingStream<'_, BoundedListener>) -> Self::Future {
        let Self { router, body_limit } = self.clone();
        ready(Ok(Front { router, body_limit, slot: stream.io().slot().clone() }))
    }
}

/// The requests of one connection: each has a host, a limit on its body, and keeps the connection busy until its answer
/// has gone out.
#[derive(Clone)]
pub struct Front {
    router: Router,
    body_limit: BodyLimit,
    slot: Slot,
}

impl Service<Request> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // A router is always ready.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        self.slot.begin();
        let slot = self.slot.clone();
        if let Err(problem) = require_host(&request) {
            return Box::pin(ready(Ok(slot.answer(problem.into_response()))));
        }
        request.extensions_mut().insert(self.body_limit);
        let answer = self.router.call(request);
        Box::pin(async move { Ok(slot.answer(answer.await?)) })
    }
}
