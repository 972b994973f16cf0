//! Admission: where an append gets its offsets and its place in the log, under one short lock.
//!
//! *Order*: the order of admission is the order of the log.
//! *Space*: an append is admitted only where its bytes are already allocated, so everything accepted can be written.
//! *Grouping*: appends that wait for the disk share the last frame, until the writer takes the frame or the frame
//! reaches its bound. A frame lies in one segment, and so does a group: all of a segment is durable before the first
//! byte of the next segment is written.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use orderflow_schemas::Offset;

use super::{
    cache::{CacheOrder, CachedBody},
    encode::Encoded,
    frame::{self, FrameKind, HEADER_BYTES, SECTION_BYTES},
    heads::{HEAD_BYTES, Heads},
    partition::PartitionLog,
    segment::Segment,
    settings::LogSettings,
};
use crate::{Appended, Receipt, Visibility};

/// The size of an empty frame. This much stays free at the end of each segment for the frame that closes the log.
const CLOSING_BYTES: u64 = HEADER_BYTES as u64;

/// The state of admission, under the admission lock of the log.
#[derive(Debug)]
pub(super) struct Admission {
    /// The segment that appends are written to.
    pub(super) active: Arc<Segment>,
    /// The LSN after everything that was accepted.
    pub(super) tail: u64,
    pub(super) next: Next,
    /// The number of attempts to allocate the next segment that were begun.
    pub(super) attempts: u64,
    /// The number of the last attempt that failed; `why_full` is the reason of that failure.
    pub(super) failed_attempt: u64,
    pub(super) why_full: Arc<str>,
    /// The frames that are accepted and not yet taken by the writer, in the order of the log.
    pub(super) pending: VecDeque<PendingFrame>,
    pub(super) cache: CacheOrder,
    /// No more appends are accepted: the log is closing, has failed, or was opened read-only.
    pub(super) closed: bool,
}

/// The state of the segment after the active one.
#[derive(Debug)]
pub(super) enum Next {
    /// The segment is still to be allocated.
    Wanted,
    /// The segment is allocated.
    Ready(Arc<Segment>),
    /// The allocation failed. It is requested again by an append that needs the segment, by retention or after a pause.
    Failed,
}

/// A frame that is accepted and not yet written.
#[derive(Debug)]
pub(super) struct PendingFrame {
    pub(super) segment: Arc<Segment>,
    pub(super) lsn: u64,
    pub(super) payload_bytes: usize,
    pub(super) payload: FramePayload,
    /// The permits that the frame holds of the bound of pending bytes.
    pub(super) permits: usize,
}

impl PendingFrame {
    /// The LSN after the frame.
    pub(super) fn end(&self) -> u64 {
        frame::end_of(self.lsn, self.payload_bytes)
    }

    pub(super) fn kind(&self) -> FrameKind {
        match self.payload {
            FramePayload::Records(_) => FrameKind::Records,
            FramePayload::Heads(_) => FrameKind::Heads,
            FramePayload::Close => FrameKind::Close,
        }
    }
}

/// The content of a pending frame.
#[derive(Debug)]
pub(super) enum FramePayload {
    Records(Vec<PendingSection>),
    Heads(Heads),
    Close,
}

/// Records of one partition with their assigned offsets.
#[derive(Debug)]
pub(super) struct PendingSection {
    pub(super) partition: Arc<PartitionLog>,
    pub(super) base: u64,
    pub(super) count: u32,
    pub(super) body: Bytes,
}

/// What an append contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// New commands, which are accepted only while there is space for what follows from them.
    New,
    /// Records that follow from commands, or any others.
    Any,
}

/// The outcome of admitting an append.
#[derive(Debug)]
pub(super) enum Verdict {
    Accepted(Appended),
    /// The append needs the next segment, which is not allocated yet.
    NeedsSegment,
    Closed,
}

impl Admission {
    pub(super) fn new(active: Arc<Segment>, next: Next) -> Self {
        Self {
            tail: active.end(),
            active,
            next,
            attempts: 0,
            failed_attempt: 0,
            why_full: Arc::from("not tried yet"),
            pending: VecDeque::new(),
            cache: CacheOrder::default(),
            closed: false,
        }
    }

    /// Assigns offsets and a place to the append if it fits. `heads` gives the next offset of every partition.
    pub(super) fn admit(
        &mut self,
        append: &Encoded,
        settings: &LogSettings,
        heads: impl FnOnce() -> Heads,
    ) -> Verdict {
        if self.closed {
            return Verdict::Closed;
        }
        if !append.parts.is_empty() && !self.make_room(append, settings, heads) {
            return Verdict::NeedsSegment;
        }
        let mut offsets = Vec::with_capacity(append.parts.len());
        for part in &append.parts {
            let body = append.body.slice(part.body.clone());
            offsets.push(Offset(self.place(&part.partition, part.count, body)));
        }
        if let Some(frame) = self.pending.back_mut() {
            frame.permits += append.permits as usize;
        }
        Verdict::Accepted(Appended { offsets, receipt: Receipt(self.tail) })
    }

    /// Makes the last pending frame one that the append fits into. False if that needs a segment that is not allocated.
    fn make_room(&mut self, append: &Encoded, settings: &LogSettings, heads: impl FnOnce() -> Heads) -> bool {
        if self.open_frame_takes(append.size, settings.frame_bytes_max) {
            return true;
        }
        if !self.fits(frame::end_of(self.tail, append.size)) {
            let Next::Ready(next) = &self.next else { return false };
            self.active = Arc::clone(next);
            self.next = Next::Wanted;
            self.tail = self.active.base;
            self.start_segment(heads());
        }
        self.push(FramePayload::Records(Vec::new()), 0);
        true
    }

    fn open_frame_takes(&self, size: usize, frame_bytes_max: usize) -> bool {
        let Some(open) = self.pending.back() else { return false };
        let payload_bytes = open.payload_bytes + size;
        open.kind() == FrameKind::Records
            && payload_bytes <= frame_bytes_max
            && self.fits(frame::end_of(open.lsn, payload_bytes))
    }

    fn fits(&self, end: u64) -> bool {
        end + CLOSING_BYTES <= self.active.limit()
    }

    /// Adds the first frame of a segment, which holds `heads`.
    pub(super) fn start_segment(&mut self, heads: Heads) {
        assert_eq!(self.tail, self.active.base, "a segment starts with its heads");
        let bytes = heads.len() * HEAD_BYTES;
        self.push(FramePayload::Heads(heads.clone()), bytes);
        // Set once: an empty segment that was prepared before a restart has no heads yet.
        let _ = self.active.heads.set(heads);
    }

    /// Adds the closing frame to the log if there is space for it; nothing depends on that frame.
    pub(super) fn close(&mut self) {
        if frame::end_of(self.tail, 0) <= self.active.limit() {
            self.push(FramePayload::Close, 0);
        }
    }

    fn push(&mut self, payload: FramePayload, payload_bytes: usize) {
        let segment = Arc::clone(&self.active);
        let frame = PendingFrame { segment, lsn: self.tail, payload_bytes, payload, permits: 0 };
        self.tail = frame.end();
        assert!(self.tail <= self.active.limit(), "a frame lies in one segment");
        self.pending.push_back(frame);
    }

    /// Adds a section to the open frame and makes its records visible to readers of accepted records. Returns the
    /// offset of the first record.
    fn place(&mut self, partition: &Arc<PartitionLog>, count: u32, body: Bytes) -> u64 {
        let base = partition.end(Visibility::Accepted);
        let frame = self.pending.back_mut().expect("room was made in the last frame");
        frame.payload_bytes += SECTION_BYTES + body.len();
        self.tail = frame.end();
        let FramePayload::Records(sections) = &mut frame.payload else {
            unreachable!("room was made in a frame of records")
        };
        let cached = CachedBody { base, count, body: body.clone() };
        sections.push(PendingSection { partition: Arc::clone(partition), base, count, body });
        self.cache.push(partition, cached, self.tail);
        partition.advance(Visibility::Accepted, base + u64::from(count));
        base
    }

    /// Takes the next group: all pending frames that lie in the segment of the first one.
    pub(super) fn take_group(&mut self) -> Vec<PendingFrame> {
        let Some(first) = self.pending.front() else { return Vec::new() };
        let base = first.segment.base;
        let count = self.pending.iter().take_while(|frame| frame.segment.base == base).count();
        self.pending.drain(..count).collect()
    }
}
