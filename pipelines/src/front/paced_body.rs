//! A request body that must arrive within a time, so that a slow sender does not hold its share of the bytes in flight.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use orderflow_web::body::TooSlow;
use tokio::time::Sleep;

/// The body of a request as it arrives.
pub(super) struct PacedBody {
    body: Incoming,
    /// How long the whole body may take from the first wait for it; `None` for any time.
    within: Option<Duration>,
    /// Set at the first wait. Most bodies are there together with their head.
    due: Option<Pin<Box<Sleep>>>,
}

impl PacedBody {
    /// The body as handlers read it.
    pub(super) fn wrap(body: Incoming, within: Option<Duration>) -> Body {
        if http_body::Body::is_end_stream(&body) {
            return Body::empty();
        }
        Body::new(Self { body, within, due: None })
    }
}

impl http_body::Body for PacedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Self { body, within, due } = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)));
        }
        let Some(within) = *within else { return Poll::Pending };
        let due = due.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        due.as_mut().poll(cx).map(|()| Some(Err(axum::Error::new(TooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
