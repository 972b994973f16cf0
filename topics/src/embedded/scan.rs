//! Reading the frames of a segment one after the other, each checked before anybody sees it.
//!
//! Used by readers, for which every invalid frame is damage, and by recovery, which decides what one means.

use std::{io, sync::Arc};

use bytes::Bytes;
use orderflow_world::disk::{DiskFile, ZEROS};

use super::{
    codec::as_usize,
    frame::{self, FrameHeader, HEADER_BYTES},
    recent_frames::RecentFrames,
};

/// An intact frame.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    pub(super) payload: Bytes,
}

/// What stands at a position.
#[derive(Debug)]
pub(super) enum ScanStep {
    /// An intact frame.
    Frame(Frame),
    /// No intact frame, and why.
    Invalid(&'static str),
    /// The limit of the scan.
    End,
}

/// A scan over the frames of one segment.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    file: Arc<dyn DiskFile>,
    /// The LSN of the file's first byte.
    base: u64,
    /// The LSN of the next frame.
    at: u64,
    limit: u64,
    /// How much is read at once.
    block_bytes: usize,
    block: Bytes,
    block_at: u64,
    recent: Option<&'a RecentFrames>,
}

impl<'a> Scan<'a> {
    /// A scan of the frames from the one at `at` up to `limit`, in the segment that starts at `base`.
    pub(super) fn new(
        file: Arc<dyn DiskFile>,
        base: u64,
        range: std::ops::Range<u64>,
        block_bytes: usize,
    ) -> Self {
        let at = range.start;
        Self {
            file,
            base,
            at,
            limit: range.end,
            block_bytes,
            block: Bytes::new(),
            block_at: at,
            recent: None,
        }
    }

    /// Shares frames with other scans.
    pub(super) fn sharing(self, recent: &'a RecentFrames) -> Self {
        Self { recent: Some(recent), ..self }
    }

    /// The LSN of the next frame.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Reads and checks the next frame. Stays where it is if that is invalid.
    pub(super) fn step(&mut self) -> io::Result<ScanStep> {
        if self.at >= self.limit {
            return Ok(ScanStep::End);
        }
        if let Some(frame) = self.recent.and_then(|recent| recent.get(self.at)) {
            self.at = frame.header.end();
            return Ok(ScanStep::Frame(frame));
        }
        let Some(bytes) = self.bytes(HEADER_BYTES)? else {
            return Ok(ScanStep::Invalid("no room for a frame"));
        };
        let Some(header) = FrameHeader::read(&bytes, self.at) else {
            return Ok(ScanStep::Invalid("no frame starts here"));
        };
        let Some(bytes) = self.bytes(HEADER_BYTES + as_usize(header.length))? else {
            return Ok(ScanStep::Invalid("the frame is longer than what is left"));
        };
        if !frame::is_intact(&bytes) {
            return Ok(ScanStep::Invalid("the checksum does not match"));
        }
        let frame = Frame { header, payload: bytes.slice(HEADER_BYTES..) };
        if let Some(recent) = self.recent {
            recent.keep(self.at, &frame);
        }
        self.at = frame.header.end();
        Ok(ScanStep::Frame(frame))
    }

    /// So many bytes from the current position on. `None` if they would go beyond the limit.
    fn bytes(&mut self, length: usize) -> io::Result<Option<Bytes>> {
        if length as u64 > self.limit - self.at {
            return Ok(None);
        }
        let start = usize::try_from(self.at - self.block_at).map_err(io::Error::other)?;
        if start + length <= self.block.len() {
            return Ok(Some(self.block.slice(start..start + length)));
        }
        let left = usize::try_from(self.limit - self.at).unwrap_or(usize::MAX);
        let (position, most) = (self.at - self.base, length.max(self.block_bytes).min(left));
        let block = match self.file.read_vec_at(most, position) {
            // The padding of the last frame may be missing from a file that was cut short.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && most > length => {
                self.file.read_vec_at(length, position)
            }
            read => read,
        };
        self.block = Bytes::from(block?);
        self.block_at = self.at;
        Ok(Some(self.block.slice(..length)))
    }
}

/// What lies behind the last intact frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// The LSN after the last byte that is not zero.
    pub(super) end: Option<u64>,
    /// The LSN of an intact frame that says that more than what is in front of it was durable.
    pub(super) vouching: Option<u64>,
}

/// Looks through the bytes of `range` for what a crash, or damage, has left there. A frame there vouches for
/// `invalid` if it says that the log was durable beyond it.
pub(super) fn remains(
    file: &Arc<dyn DiskFile>,
    base: u64,
    range: std::ops::Range<u64>,
    invalid: u64,
) -> io::Result<Remains> {
    const BLOCK: usize = ZEROS.len();
    let mut remains = Remains::default();
    let mut at = range.start;
    let mut block = vec![0; BLOCK];
    while at < range.end {
        let length = usize::try_from(range.end - at).unwrap_or(BLOCK).min(BLOCK);
        file.read_at(&mut block[..length], at - base)?;
        if block[..length] != ZEROS[..length] {
            let last = block[..length].iter().rposition(|byte| *byte != 0).unwrap_or(0);
            remains.end = Some(at + last as u64 + 1);
            for start in frame_starts(&block[..length]) {
                let lsn = at + start as u64;
                let mut scan = Scan::new(Arc::clone(file), base, lsn..range.end, HEADER_BYTES);
                if let ScanStep::Frame(frame) = scan.step()?
                    && frame.header.synced > invalid
                {
                    remains.vouching = Some(lsn);
                    return Ok(remains);
                }
            }
        }
        at += length as u64;
    }
    Ok(remains)
}

/// Where in the block the magic number of a frame stands, at the places where frames may start.
fn frame_starts(block: &[u8]) -> impl Iterator<Item = usize> {
    block
        .chunks_exact(frame::ALIGNMENT)
        .enumerate()
        .filter(|(_, bytes)| bytes.starts_with(&frame::MAGIC.to_le_bytes()))
        .map(|(n, _)| n * frame::ALIGNMENT)
}
