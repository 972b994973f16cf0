//! What a connection is doing, and what is asked of it.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use futures_util::task::AtomicWaker;
use http::{StatusCode, Version};
use tokio::sync::OwnedSemaphorePermit;

use super::places::Places;

/// No byte has been read yet.
const FRESH: u8 = 0;
/// The head of a request is being read.
const HEAD: u8 = 1;
/// A request is being answered.
const BUSY: u8 = 2;
/// The response is complete in memory, and is being written.
const ANSWERED: u8 = 3;
/// The last response has been written, and no byte has been read since.
const IDLE: u8 = 4;
/// The connection is being closed. Bytes that still arrive are not read.
const CLOSED: u8 = 5;

/// The state of one connection, shared by its task, by the requests on it and by the bounds of all connections.
#[derive(Clone)]
pub struct Slot(Arc<Shared>);

struct Shared {
    number: u64,
    state: AtomicU8,
    /// When the connection became idle, in nanoseconds on the clock of [`Places`].
    idle_since: AtomicU64,
    /// The requests that are being answered. HTTP/1.1 has at most one.
    requests: AtomicU32,
    /// Whether the connection speaks HTTP/2, where requests overlap and bytes do not tell what is going on.
    is_multiplexed: AtomicBool,
    /// Whether the connection should end as soon as its requests are answered.
    is_finishing: AtomicBool,
    /// Whether the connection should end now.
    is_evicted: AtomicBool,
    waker: AtomicWaker,
    /// Whether the connection has an ordinary place; otherwise it is in the reserve.
    has_place: AtomicBool,
    place: Mutex<Option<OwnedSemaphorePermit>>,
    places: Arc<Places>,
}

/// What the task of a connection must do besides reading and writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Instruction {
    /// Nothing.
    GoOn,
    /// Accept no further request, and end once all requests are answered.
    Finish,
    /// The same, and soon: another connection needs the place.
    MakeRoom,
    /// End now.
    Leave,
}

/// What bytes that were read mean for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// They begin the head of a request.
    BeginsHead,
    /// They belong to what is being read already.
    GoesOn,
    /// The connection was closed to make room before they arrived.
    IsTooLate,
}

impl Slot {
    /// The slot of a new connection, with its ordinary place if it got one.
    pub(super) fn new(number: u64, place: Option<OwnedSemaphorePermit>, places: Arc<Places>) -> Self {
        Self(Arc::new(Shared {
            number,
            state: AtomicU8::new(FRESH),
            idle_since: AtomicU64::new(0),
            requests: AtomicU32::new(0),
            is_multiplexed: AtomicBool::new(false),
            is_finishing: AtomicBool::new(false),
            is_evicted: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            has_place: AtomicBool::new(place.is_some()),
            place: Mutex::new(place),
            places,
        }))
    }

    /// The number of the connection.
    pub(super) fn number(&self) -> u64 {
        self.0.number
    }

    /// Whether the connection has an ordinary place. Without one, it may only ask for the health.
    pub fn has_place(&self) -> bool {
        self.0.has_place.load(Ordering::Relaxed)
    }

    /// Waits until the connection has an ordinary place. Returns `false` if it gets none in time.
    pub async fn wait_for_place(&self) -> bool {
        let Some(place) = self.0.places.wait_for_place(self).await else { return false };
        let mut held = self.0.place.lock().expect("nothing panics under it");
        // A second request of the connection may have waited too; its place is free again.
        held.get_or_insert(place);
        self.0.has_place.store(true, Ordering::Relaxed);
        true
    }

    /// Gives back what the connection holds.
    pub(super) fn leave(&self) {
        self.0.places.remove(self.number());
        drop(self.0.place.lock().expect("nothing panics under it").take());
    }

    /// Takes note of bytes that were read.
    pub(super) fn read(&self) -> Read {
        let state = &self.0.state;
        if matches!(state.load(Ordering::Relaxed), HEAD | BUSY) || self.is_multiplexed() {
            return Read::GoesOn;
        }
        let to_head = |state| (state != CLOSED).then_some(HEAD);
        match state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, to_head) {
            // The time limit of the first head began when the connection was accepted.
            Ok(FRESH) => Read::GoesOn,
            Ok(_) => Read::BeginsHead,
            Err(_) => Read::IsTooLate,
        }
    }

    /// Whether the connection waits for the rest of a request's head.
    pub(super) fn is_in_head(&self) -> bool {
        matches!(self.0.state.load(Ordering::Relaxed), FRESH | HEAD)
    }

    /// Whether to read no more, because the connection was closed to make room. HTTP/2 is closed by a frame instead.
    pub(super) fn reads_no_more(&self) -> bool {
        self.0.state.load(Ordering::SeqCst) == CLOSED && !self.is_multiplexed()
    }

    fn is_multiplexed(&self) -> bool {
        self.0.is_multiplexed.load(Ordering::Relaxed)
    }

    /// Wakes the task of `waker` at the next instruction.
    pub(super) fn register(&self, waker: &Waker) {
        self.0.waker.register(waker);
    }

    /// What the connection must do now.
    pub(super) fn instruction(&self) -> Instruction {
        if self.0.is_evicted.load(Ordering::SeqCst) {
            Instruction::Leave
        } else if self.0.is_finishing.load(Ordering::SeqCst) {
            Instruction::Finish
        } else if self.is_multiplexed() && self.0.state.load(Ordering::SeqCst) == CLOSED {
            Instruction::MakeRoom
        } else {
            Instruction::GoOn
        }
    }

    /// Lets the connection end once its requests are answered.
    pub fn finish(&self) {
        self.0.is_finishing.store(true, Ordering::SeqCst);
        self.0.waker.wake();
    }

    /// Ends the connection now.
    pub(super) fn evict(&self) {
        self.0.is_evicted.store(true, Ordering::SeqCst);
        self.0.waker.wake();
    }

    /// Closes the connection if it is idle. Returns whether it was.
    pub(super) fn close(&self) -> bool {
        let state = &self.0.state;
        let closed = state.compare_exchange(IDLE, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if closed {
            self.0.waker.wake();
        }
        closed
    }

    /// Whether no request is being answered.
    pub(super) fn is_quiet(&self) -> bool {
        self.0.requests.load(Ordering::SeqCst) == 0
    }

    /// When the connection became idle; `None` if it is not idle.
    pub(super) fn idle_since(&self) -> Option<u64> {
        let is_idle = self.0.state.load(Ordering::SeqCst) == IDLE && self.is_quiet();
        is_idle.then(|| self.0.idle_since.load(Ordering::Relaxed))
    }

    /// Marks the connection as busy with a request whose head is complete.
    pub fn begin(&self, version: Version) -> Busy {
        if version == Version::HTTP_2 {
            self.0.is_multiplexed.store(true, Ordering::Relaxed);
        }
        self.0.requests.fetch_add(1, Ordering::SeqCst);
        // If the connection is closing, its state no longer matters.
        let to_busy = |state| (state != CLOSED).then_some(BUSY);
        let _ = self.0.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, to_busy);
        Busy { slot: self.clone(), has_left_http: false }
    }

    /// Takes note that a request is answered, or that nobody waits for its answer.
    fn end_request(&self) {
        if self.0.requests.fetch_sub(1, Ordering::SeqCst) != 1 {
            return;
        }
        if self.is_multiplexed() {
            // What is still to be written is written before the connection closes.
            self.become_idle(BUSY);
        } else {
            // A failed exchange means that the connection is already closed.
            let _ = self.0.state.compare_exchange(BUSY, ANSWERED, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// Marks the connection as idle if a whole response has just been flushed.
    pub(super) fn flushed(&self) {
        if self.0.state.load(Ordering::Relaxed) == ANSWERED {
            self.become_idle(ANSWERED);
        }
    }

    fn become_idle(&self, from: u8) {
        let Shared { state, idle_since, places, .. } = &*self.0;
        idle_since.store(places.now(), Ordering::Relaxed);
        let _ = state.compare_exchange(from, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        places.one_is_idle();
    }
}

/// A request that is being answered. The connection stays busy until this is dropped.
pub struct Busy {
    slot: Slot,
    /// Whether the connection speaks another protocol from now on.
    has_left_http: bool,
}

impl Busy {
    /// Takes note of the response, which is written next, and returns it.
    pub fn answer(mut self, response: Response) -> Response {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // Requests do not tell any more what the connection does, so it stays busy until it ends.
            self.has_left_http = true;
            return response;
        }
        if response.body().size_hint().exact().is_some() && !self.slot.is_multiplexed() {
            // The whole body is in memory, so everything written next belongs to it.
            return response;
        }
        response.map(|body| Body::new(Streamed { body, _busy: self }))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.has_left_http {
            self.slot.end_request();
        }
    }
}

/// The body of a response that is written piece by piece. The connection stays busy until the body is dropped.
struct Streamed {
    body: Body,
    _busy: Busy,
}

impl HttpBody for Streamed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}
