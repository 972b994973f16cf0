//! Frames that were read from the disk recently, so that readers of different partitions share the reads.
//!
//! All partitions are in one log: a reader that catches up in several of them reads the same frame for each. A frame is
//! kept under its LSN, which never refers to another frame, once its checksum was verified. The oldest frame is dropped
//! first: readers move forward and do not need a frame again once they have passed it.

use std::{
    collections::{HashMap, VecDeque},
    sync::Mutex,
};

use super::{lock, scan::Frame};

/// The recently read frames, up to a bound of payload bytes.
#[derive(Debug)]
pub(super) struct RecentFrames {
    bytes_max: usize,
    kept: Mutex<FramesByLsn>,
}

#[derive(Debug, Default)]
struct FramesByLsn {
    frames: HashMap<u64, Frame>,
    order: VecDeque<u64>,
    bytes: usize,
}

impl RecentFrames {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    /// The frame at this LSN, if it is still kept.
    pub(super) fn get(&self, lsn: u64) -> Option<Frame> {
        lock(&self.kept).frames.get(&lsn).cloned()
    }

    /// Keeps an intact frame, and drops the oldest frames beyond the bound.
    pub(super) fn keep(&self, lsn: u64, frame: &Frame) {
        let mut kept = lock(&self.kept);
        if kept.frames.insert(lsn, frame.clone()).is_some() {
            return;
        }
        kept.order.push_back(lsn);
        kept.bytes += frame.payload.len();
        while kept.bytes > self.bytes_max {
            let Some(oldest) = kept.order.pop_front() else { break };
            if let Some(frame) = kept.frames.remove(&oldest) {
                kept.bytes -= frame.payload.len();
            }
        }
    }
}
