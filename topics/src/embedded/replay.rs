//! Folds the frames of a segment, one after the other, into the heads of the partitions and the index.
//!
//! A frame with a right checksum that does not continue the frames before it is damage, or was written by another
//! version. It is never skipped.

use super::{
    frame::{self, FrameKind},
    heads::Heads,
    index::{IndexEntry, SegmentIndex},
    scan::Frame,
};

/// The combined content of one segment's frames.
#[derive(Debug)]
pub(super) struct Replay {
    /// The next offset of each partition at the segment's start.
    pub(super) heads: Heads,
    /// The next offset of each partition after the last frame.
    pub(super) ends: Heads,
    /// The LSN after the last frame.
    pub(super) end: u64,
    /// When the last frame was written, in milliseconds since 1970.
    pub(super) time_ms: u64,
    pub(super) index: SegmentIndex,
    /// The LSN up to which the log was durable, according to the last frame.
    pub(super) synced: u64,
    /// Whether the last frame closed the log.
    pub(super) closed: bool,
    /// Whether the segment has no frame so far.
    pub(super) is_empty: bool,
}

impl Replay {
    /// The state before the first frame of the segment that starts at `base`; `heads` are those at the end of the
    /// segment before it.
    pub(super) fn new(base: u64, heads: Heads, stride: u64) -> Self {
        Self {
            ends: heads.clone(),
            heads,
            end: base,
            time_ms: 0,
            index: SegmentIndex::new(stride),
            synced: base,
            closed: false,
            is_empty: true,
        }
    }

    /// Adds the next frame of the segment. `known` has the heads at the end of the segment before it, if there is one.
    pub(super) fn add(&mut self, frame: &Frame, known: Option<&Heads>) -> Result<(), &'static str> {
        let header = &frame.header;
        match header.kind {
            FrameKind::Heads if !self.is_empty => return Err("heads in the middle of a segment"),
            FrameKind::Heads => {
                let heads = Heads::read(&frame.payload).ok_or("malformed heads")?;
                if known.is_some_and(|known| *known != heads) {
                    return Err("the segment does not continue the one before it");
                }
                self.ends = heads.clone();
                self.heads = heads;
            }
            FrameKind::Records if self.is_empty => return Err("the segment does not start with its heads"),
            FrameKind::Records => self.add_records(frame)?,
            FrameKind::Close => {}
        }
        self.closed = header.kind == FrameKind::Close;
        self.end = header.end();
        self.synced = header.synced;
        self.time_ms = header.time_ms;
        self.is_empty = false;
        Ok(())
    }

    fn add_records(&mut self, frame: &Frame) -> Result<(), &'static str> {
        for section in frame::sections(&frame.payload) {
            let section = section.ok_or("a malformed frame, or a topic that this version does not know")?;
            if section.base != self.ends.get(section.topic_partition) {
                return Err("offsets are not contiguous");
            }
            self.ends.set(section.topic_partition, section.end());
            self.index.note(IndexEntry {
                topic_partition: section.topic_partition,
                offset: section.base,
                lsn: frame.header.lsn,
            });
        }
        Ok(())
    }
}
