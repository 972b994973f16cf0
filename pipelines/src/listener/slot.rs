//! What a connection is doing, and which connections can be closed to make room.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

/// No byte has been read yet.
const FRESH: u8 = 0;
/// A request is being read or answered.
const BUSY: u8 = 1;
/// The response is complete in memory, and is being written.
const ANSWERED: u8 = 2;
/// The last response has been written, and no byte has been read since.
const IDLE: u8 = 3;
/// The connection is being closed. Bytes that still arrive are not read.
const CLOSED: u8 = 4;

/// The state of one connection, shared by the listener and the requests on that connection.
#[derive(Clone)]
pub struct Slot(Arc<Shared>);

struct Shared {
    state: AtomicU8,
    /// When the connection became idle, in nanoseconds since [`Slots::started`].
    idle_since: AtomicU64,
    waker: AtomicWaker,
    slots: Arc<Slots>,
}

/// The slots of all open connections.
pub struct Slots {
    started: Instant,
    open: Mutex<HashMap<u64, Slot>>,
    /// Whether the listener waits for a connection to become idle.
    wanted: AtomicBool,
    became_idle: Notify,
}

impl Slots {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            started: Instant::now(),
            open: Mutex::default(),
            wanted: AtomicBool::new(false),
            became_idle: Notify::new(),
        })
    }

    /// A slot for a new connection. The slot counts as open until [`Slots::remove`].
    pub(super) fn add(self: &Arc<Self>, number: u64) -> Slot {
        let slot = Slot(Arc::new(Shared {
            state: AtomicU8::new(FRESH),
            idle_since: AtomicU64::new(0),
            waker: AtomicWaker::new(),
            slots: Arc::clone(self),
        }));
        self.open.lock().expect("nothing panics under it").insert(number, slot.clone());
        slot
    }

    pub(super) fn remove(&self, number: u64) {
        self.open.lock().expect("nothing panics under it").remove(&number);
    }

    /// Closes the connection that has been idle longest. Waits for an idle connection if there is none.
    pub(super) async fn close_longest_idle(&self) {
        // From now on, a connection that becomes idle sends a notification.
        self.wanted.store(true, Ordering::SeqCst);
        while !self.longest_idle().is_some_and(|slot| slot.close()) {
            self.became_idle.notified().await;
        }
    }

    /// Ends the wait for an idle connection: connections that become idle send no notification any more.
    pub(super) fn found(&self) {
        self.wanted.store(false, Ordering::SeqCst);
    }

    fn longest_idle(&self) -> Option<Slot> {
        let open = self.open.lock().expect("nothing panics under it");
        let idle = open.values().filter(|slot| slot.0.state.load(Ordering::SeqCst) == IDLE);
        idle.min_by_key(|slot| slot.0.idle_since.load(Ordering::Relaxed)).cloned()
    }
}

impl Slot {
    /// Marks the connection as busy, because bytes were read. Returns `false` if it was already closed to make room.
    pub(super) fn read(&self) -> bool {
        let to_busy = |state| (state != CLOSED).then_some(BUSY);
        self.0.state.load(Ordering::Relaxed) == BUSY
            || self.0.state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, to_busy).is_ok()
    }

    /// Whether the connection was closed to make room. If it is not closed yet, closing it wakes the task of `waker`.
    pub(super) fn is_closed(&self, waker: &Waker) -> bool {
        self.0.waker.register(waker);
        self.0.state.load(Ordering::SeqCst) == CLOSED
    }

    fn close(&self) -> bool {
        let closed = self.0.state.compare_exchange(IDLE, CLOSED, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        if closed {
            self.0.waker.wake();
        }
        closed
    }

    /// Marks the connection as busy with a request. The response goes through [`Self::answer`].
    pub fn begin(&self) {
        // If the connection was closed meanwhile, its state no longer matters.
        self.read();
    }

    /// Takes note of the response, which is written next, and returns it.
    pub fn answer(&self, answer: Response) -> Response {
        if answer.body().size_hint().exact().is_some() {
            // The whole body is in memory, so everything written next belongs to it.
            self.answered();
            return answer;
        }
        answer.map(|body| Body::new(Streamed { body, slot: self.clone() }))
    }

    fn answered(&self) {
        // A failed exchange means that the connection is already closed.
        let _ = self.0.state.compare_exchange(BUSY, ANSWERED, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Marks the connection as idle if a whole response has just been flushed.
    pub(super) fn flushed(&self) {
        let (shared, slots) = (&self.0, &self.0.slots);
        if shared.state.load(Ordering::Relaxed) != ANSWERED {
            return;
        }
        let now = u64::try_from(slots.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        shared.idle_since.store(now, Ordering::Relaxed);
        let _ = shared.state.compare_exchange(ANSWERED, IDLE, Ordering::SeqCst, Ordering::SeqCst);
        if slots.wanted.load(Ordering::SeqCst) {
            slots.became_idle.notify_one();
        }
    }
}

/// The body of a response whose length is unknown until its end. The connection stays busy until the body is dropped.
struct Streamed {
    body: Body,
    slot: Slot,
}

impl Drop for Streamed {
    fn drop(&mut self) {
        self.slot.answered();
    }
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
