//! A TCP listener that serves a bounded number of connections. Further connections wait in the kernel's queue. For
//! each waiting connection, the listener closes the connection that has been idle longest since its last response, if
//! there is one.
//!
//! A connection on which no byte moves in either direction for 90 seconds is closed, so that silent peers do not
//! occupy places. No response takes that long.

mod slot;

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::serve::Listener;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep},
};

pub use self::slot::Slot;
use self::slot::Slots;

/// How long a connection may stay open without a byte read or written.
const IDLE_MAX: Duration = Duration::from_secs(90);

/// A listener that keeps at most `connections_max` connections open.
pub struct BoundedListener {
    listener: TcpListener,
    places: Arc<Semaphore>,
    slots: Arc<Slots>,
    /// The number of connections accepted so far, which numbers the next one.
    accepted: u64,
}

/// An open connection. Dropping it frees its place.
pub struct Connection {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    slot: Slot,
    slots: Arc<Slots>,
    number: u64,
    _place: OwnedSemaphorePermit,
}

impl Connection {
    fn new(stream: TcpStream, slots: Arc<Slots>, number: u64, place: OwnedSemaphorePermit) -> Self {
        let (idle, slot) = (Box::pin(tokio::time::sleep(IDLE_MAX)), slots.add(number));
        Self { stream, idle, slot, slots, number, _place: place }
    }

    /// The record of what this connection is doing.
    pub fn slot(&self) -> &Slot {
        &self.slot
    }

    /// Restarts the idle timer if the read or write made progress.
    fn moved<T>(&mut self, poll: Poll<T>) -> Poll<T> {
        if poll.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE_MAX);
        }
        poll
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.slots.remove(self.number);
    }
}

impl BoundedListener {
    /// Wraps a listener so that at most `connections_max` connections are open.
    pub fn new(listener: TcpListener, connections_max: usize) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(connections_max)), slots: Slots::new(), accepted: 0 }
    }

    /// A place for one more connection: a free one, or the place of an idle connection, which is closed for it.
    async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return place;
        }
        let free = self.places.clone().acquire_owned();
        tokio::pin!(free);
        let place = tokio::select! {
            place = &mut free => place,
            () = self.slots.close_longest_idle() => free.await,
        };
        self.slots.found();
        place.expect("the semaphore is never closed")
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        // Axum's accept waits and retries after errors such as too many open files.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection without TCP_NODELAY");
        }
        let place = self.place().await;
        self.accepted += 1;
        (Connection::new(stream, self.slots.clone(), self.accepted, place), address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before && !self.slot.read() {
            buffer.set_filled(before);
            return Poll::Ready(Ok(()));
        }
        if poll.is_pending() && self.slot.is_closed(cx.waker()) {
            return Poll::Ready(Ok(()));
        }
        if poll.is_pending() && self.idle.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        self.moved(poll)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.moved(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.moved(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(cx);
        if let Poll::Ready(Ok(())) = poll {
            self.slot.flushed();
        }
        poll
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};
    use orderflow_web::BodyLimit;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::Notify,
    };

    use super::*;
    use crate::front::FrontDoor;

    #[tokio::test]
    async fn a_silent_connection_is_cut_and_gives_its_place_to_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut bounded = BoundedListener::new(listener, 1);
        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut first, _) = bounded.accept().await;
        let mut second = TcpStream::connect(address).await.unwrap();
        assert_eq!(bounded.places.available_permits(), 0);
        tokio::time::pause();
        assert_eq!(first.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(first);
        tokio::time::resume();
        let (mut served, _) = bounded.accept().await;
        second.write_all(b"x").await.unwrap();
        assert_eq!(served.read(&mut [0]).await.unwrap(), 1);
    }

    /// Serves `/` at once, and `/slow` when the test releases it.
    async fn serve(connections_max: usize) -> (SocketAddr, Arc<Notify>, Arc<Notify>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (asked_too, go_on_too) = (asked.clone(), go_on.clone());
        let slow = async move || {
            asked_too.notify_one();
            go_on_too.notified().await;
            "slow"
        };
        let router = Router::new().route("/", get(async || "at once")).route("/slow", get(slow));
        let front = FrontDoor::new(router, BodyLimit::default(), 0);
        tokio::spawn(axum::serve(BoundedListener::new(listener, connections_max), front).into_future());
        (address, asked, go_on)
    }

    async fn ask(stream: &mut TcpStream, path: &str) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    }

    /// Reads a response up to `word`, its last word.
    async fn answer(stream: &mut TcpStream, word: &str) {
        let mut text = Vec::new();
        while !text.ends_with(word.as_bytes()) {
            assert_ne!(stream.read_buf(&mut text).await.unwrap(), 0, "closed before it answered");
        }
    }

    #[tokio::test]
    async fn at_the_bound_the_longest_idle_connection_makes_room() {
        let (address, asked, go_on) = serve(3).await;
        let mut streams = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            ask(&mut stream, "/").await;
            answer(&mut stream, "at once").await;
            streams.push(stream);
        }
        // The connection that was idle longest sends another request and is busy.
        let [busy, first, second] = streams.as_mut_slice() else { unreachable!("there are three") };
        ask(busy, "/slow").await;
        asked.notified().await;
        let mut newcomer = TcpStream::connect(address).await.unwrap();
        ask(&mut newcomer, "/").await;
        answer(&mut newcomer, "at once").await;
        assert_eq!(first.read(&mut [0]).await.unwrap(), 0, "it is closed");
        ask(second, "/").await;
        answer(second, "at once").await;
        go_on.notify_one();
        answer(busy, "slow").await;
    }

    #[tokio::test]
    async fn who_waits_at_the_bound_is_served_when_an_answer_has_gone_out() {
        let (address, asked, go_on) = serve(1).await;
        let mut busy = TcpStream::connect(address).await.unwrap();
        ask(&mut busy, "/slow").await;
        asked.notified().await;
        let mut newcomer = TcpStream::connect(address).await.unwrap();
        ask(&mut newcomer, "/").await;
        tokio::task::yield_now().await;
        go_on.notify_one();
        answer(&mut busy, "slow").await;
        answer(&mut newcomer, "at once").await;
    }
}
