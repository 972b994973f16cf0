//! Reading the frames of a segment one after the other. Each frame is checked before it is returned.
//!
//! Readers use it and treat every invalid frame as damage; recovery uses it and decides what an invalid frame means.

use std::{io, sync::Arc};

use bytes::Bytes;
use orderflow_world::disk::{DiskFile, ZEROS};

use super::{
    codec::as_usize,
    frame::{self, FrameHeader, HEADER_BYTES},
    recent_frames::RecentFrames,
};

/// A frame whose header and checksum are right.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) header: FrameHeader,
    pub(super) payload: Bytes,
}

/// The outcome of one step of a scan.
#[derive(Debug)]
pub(super) enum ScanStep {
    /// The next frame, intact.
    Frame(Frame),
    /// There is no intact frame at this position; the text is the reason.
    Invalid(&'static str),
    /// The scan has reached its limit.
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
    /// The bytes read from the file at once, unless a frame is larger.
    block_bytes: usize,
    block: Bytes,
    block_at: u64,
    recent: Option<&'a RecentFrames>,
}

impl<'a> Scan<'a> {
    /// A scan of the frames in `range`, in the segment that starts at `base`. A frame must start where `range` starts.
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

    /// Takes frames from `recent` where it has them, and adds those that this scan reads.
    pub(super) fn sharing(self, recent: &'a RecentFrames) -> Self {
        Self { recent: Some(recent), ..self }
    }

    /// The LSN of the next frame.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Reads and checks the next frame. Does not move if the frame is invalid.
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

    /// The next `length` bytes from the current position. `None` if they would exceed the limit.
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
            // The padding of the last frame may be missing from a file that was truncated.
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

/// What lies after the last intact frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Remains {
    /// The LSN after the last byte that is not zero; `None` if all are zero.
    pub(super) end: Option<u64>,
    /// The LSN of an intact frame that says that the log was durable beyond the invalid frame.
    pub(super) vouching: Option<u64>,
}

/// Searches the bytes of `range` for what a crash, or damage, has left there. A frame vouches for the invalid frame at
/// the LSN `invalid` if it says that the log was durable beyond that LSN.
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

/// The positions in the block that have a frame's alignment and its magic number.
fn frame_starts(block: &[u8]) -> impl Iterator<Item = usize> {
    block
        .chunks_exact(frame::ALIGNMENT)
        .enumerate()
        .filter(|(_, bytes)| bytes.starts_with(&frame::MAGIC.to_le_bytes()))
        .map(|(n, _)| n * frame::ALIGNMENT)
}
