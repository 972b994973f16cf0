//! Folding the frames of a segment, one after the other, into what they say: where partitions stand, and the index.
//!
//! A frame whose checksum is right and that still does not continue what is in front of it is damage, or was written
//! by another version; it is never skipped.

use super::{
    frame::{self, FrameKind},
    heads::Heads,
    index::{IndexEntry, SegmentIndex},
    scan::Frame,
};

/// What the frames of one segment say together.
#[derive(Debug)]
pub(super) struct Replay {
    /// Where the partitions stood at its start.
    pub(super) heads: Heads,
    /// Where they stand after the last frame.
    pub(super) ends: Heads,
    /// The LSN after the last frame.
    pub(super) end: u64,
    /// When the last frame was written.
    pub(super) time_ms: u64,
    pub(super) index: SegmentIndex,
    /// What the last frame says was durable.
    pub(super) synced: u64,
    /// Whether the last frame closed the log.
    pub(super) closed: bool,
    /// Whether there was no frame.
    pub(super) is_empty: bool,
}

impl Replay {
    /// The segment that starts at `base`, before its first frame; `heads` is where the one before it ended.
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

    /// Adds the next frame of the segment. `known` is where the segment before it ended.
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
            if section.base != self.ends.get(section.at) {
                return Err("offsets are not contiguous");
            }
            self.ends.set(section.at, section.end());
            self.index.note(IndexEntry { at: section.at, offset: section.base, lsn: frame.header.lsn });
        }
        Ok(())
    }
}
