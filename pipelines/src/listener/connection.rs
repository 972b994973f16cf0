//! The bytes of one connection, with the time limits on them.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

use super::{
    addresses::Counted,
    slot::{Read, Slot},
};
use crate::telemetry::metrics::CONNECTIONS_CUT;

/// How long a connection may stay open without a byte read or written.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(90);

/// An open connection. Dropping it frees its place.
pub struct Connection {
    stream: TcpStream,
    slot: Slot,
    counted: Counted,
    /// When a byte moved last.
    moved: Instant,
    /// When the head that is being read must be complete.
    head_due: Instant,
    head_within: Duration,
    /// Fires at the next time limit, or before it.
    timer: Pin<Box<Sleep>>,
}

impl Connection {
    /// A connection that was accepted now. Its first head must be complete within `first_head_within`, each later one
    /// within `head_within` of its first byte.
    pub(super) fn new(
        stream: TcpStream,
        slot: Slot,
        counted: Counted,
        first_head_within: Duration,
        head_within: Duration,
    ) -> Self {
        let moved = Instant::now();
        let head_due = moved + first_head_within;
        let timer = Box::pin(tokio::time::sleep_until(head_due));
        Self { stream, slot, counted, moved, head_due, head_within, timer }
    }

    /// The record of what this connection is doing.
    pub(super) fn slot(&self) -> &Slot {
        &self.slot
    }

    /// The address that it comes from.
    pub(super) fn peer(&self) -> IpAddr {
        self.counted.address()
    }

    fn due(&self) -> Instant {
        let silent = self.moved + IDLE_MAX;
        if self.slot.is_in_head() { silent.min(self.head_due) } else { silent }
    }

    /// Whether a time limit has passed. If not, wakes the task when one does.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.due();
        // A timer that fires early is set again then, which is cheaper than to set it at each byte.
        if due < self.timer.deadline() {
            self.timer.as_mut().reset(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return true;
            }
            self.timer.as_mut().reset(due);
        }
        false
    }

    /// Takes note of progress in reading or writing.
    fn note<T>(&mut self, poll: Poll<T>) -> Poll<T> {
        if poll.is_ready() {
            self.moved = Instant::now();
        }
        poll
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.slot.leave();
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
        if buffer.filled().len() > before {
            match self.slot.read() {
                Read::GoesOn => {}
                Read::BeginsHead => self.head_due = Instant::now() + self.head_within,
                Read::IsTooLate => {
                    buffer.set_filled(before);
                    return Poll::Ready(Ok(()));
                }
            }
        }
        if poll.is_ready() {
            return self.note(poll);
        }
        if self.slot.reads_no_more() {
            return Poll::Ready(Ok(()));
        }
        if self.is_overdue(cx) {
            let reason = if self.slot.is_in_head() { "slow-head" } else { "silent" };
            metrics::counter!(CONNECTIONS_CUT.name, "reason" => reason).increment(1);
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(poll)
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
