//! The entry point of every request, before it is routed. It is one service around the router, because each layer of
//! a router costs every request a copy of everything inside that layer.

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

use crate::{
    listener::{BoundedListener, Slot},
    telemetry::{access::RequestObserver, request_context},
};

/// Makes a [`Front`] for each connection.
#[derive(Clone)]
pub struct FrontDoor {
    router: Router,
    body_limit: BodyLimit,
    trace_per_mille: u32,
}

impl FrontDoor {
    /// Routes requests by `router`. Request bodies have at most `body_limit` bytes. Of 1,000 requests without a
    /// trace, `trace_per_mille` get one that is recorded.
    pub fn new(router: Router, body_limit: BodyLimit, trace_per_mille: u32) -> Self {
        Self { router, body_limit, trace_per_mille }
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
        let Self { router, body_limit, trace_per_mille } = self.clone();
        ready(Ok(Front { router, body_limit, trace_per_mille, slot: stream.io().slot().clone() }))
    }
}

/// The requests of one connection: each is observed, has a host and a limit on its body, and keeps the connection busy
/// until its answer has gone out.
#[derive(Clone)]
pub struct Front {
    router: Router,
    body_limit: BodyLimit,
    trace_per_mille: u32,
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
        let observer = RequestObserver::begin(&mut request, self.trace_per_mille);
        let context = observer.context();
        if let Err(problem) = require_host(&request) {
            let response = request_context::sync_scope(context, || observer.end(problem.into_response()));
            return Box::pin(ready(Ok(slot.answer(response))));
        }
        request.extensions_mut().insert(self.body_limit);
        let answer = self.router.call(request);
        Box::pin(request_context::scope(context, async move { Ok(slot.answer(observer.end(answer.await?))) }))
    }
}
