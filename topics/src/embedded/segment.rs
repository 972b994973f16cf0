//! Segment files: fixed-size pieces of the log, named by the LSN of their first byte.
//!
//! *Layout*: frames one after the other from the start, zeros after the last. The next segment's LSN is this one's
//! plus its length, so segments of different lengths can follow each other when the setting changes.
//! *Allocation*: a segment is allocated, and its name and length are durable, before anything is accepted into it;
//! so nothing accepted ever meets a full disk. Zeroing it ahead of the writer makes `fdatasync` several times
//! faster (no extents to convert) and is only that: an optimisation, which stops where the writer is.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
};

use orderflow_world::disk::{Access, Disk, DiskFile, write_zeros};

use super::{heads::Heads, lock};

/// How far ahead of the writer zeroing stays.
const ZEROING_MARGIN: u64 = 2 << 20;
/// How much is zeroed at once.
const ZEROING_BYTES: u64 = 64 << 10;
/// How much is zeroed between syncs.
const ZEROING_SYNC_BYTES: u64 = 32 * ZEROING_BYTES;

/// A segment file.
#[derive(Debug)]
pub(super) struct Segment {
    /// The LSN of its first byte.
    pub(super) base: u64,
    /// The size of the file.
    pub(super) length: u64,
    pub(super) path: PathBuf,
    /// Where the partitions stood at its start; known once it is in use.
    pub(super) heads: OnceLock<Heads>,
    /// Held open until sealed.
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    /// The LSN after the last frame that is durable.
    end: AtomicU64,
    /// When the last frame was written.
    time_ms: AtomicU64,
    /// What is before this LSN belongs to the writer.
    written: AtomicU64,
    /// The LSN of the piece that is being zeroed at this moment; [`IDLE`] if none is.
    zeroing: AtomicU64,
    /// The LSN after the zeroed pieces.
    zeroed: AtomicU64,
}

/// Nothing is being zeroed.
const IDLE: u64 = u64::MAX;

/// The name of the segment file that starts at this LSN.
pub(super) fn file_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// The LSN in the name of a segment file; `None` for other files.
pub(super) fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

impl Segment {
    /// A segment that exists, with frames up to `end`.
    pub(super) fn existing(dir: &Path, range: std::ops::Range<u64>, end: u64, time_ms: u64) -> Self {
        Self {
            base: range.start,
            length: range.end - range.start,
            path: dir.join(file_name(range.start)),
            heads: OnceLock::new(),
            file: Mutex::new(None),
            end: AtomicU64::new(end),
            time_ms: AtomicU64::new(time_ms),
            written: AtomicU64::new(end),
            zeroing: AtomicU64::new(IDLE),
            zeroed: AtomicU64::new(end),
        }
    }

    /// Makes a segment: allocated, and durable as such. Leaves nothing behind when that fails.
    pub(super) fn create(disk: &dyn Disk, dir: &Path, base: u64, length: u64) -> io::Result<Self> {
        let segment = Self::existing(dir, base..base + length, base, 0);
        let made = (|| {
            let file = disk.open(&segment.path, Access::Create)?;
            file.allocate(length)?;
            disk.sync_dir(dir)?;
            Ok(file)
        })();
        match made {
            Ok(file) => *lock(&segment.file) = Some(file),
            Err(error) => {
                // It may not exist; and if it stays, the next attempt or the next opening empties it.
                let _ = disk.remove(&segment.path);
                return Err(error);
            }
        }
        Ok(segment)
    }

    /// The LSN after the file's last byte.
    pub(super) fn limit(&self) -> u64 {
        self.base + self.length
    }

    /// The LSN after the last frame that is durable.
    pub(super) fn end(&self) -> u64 {
        self.end.load(SeqCst)
    }

    /// When the last frame was written, in milliseconds since 1970.
    pub(super) fn time_ms(&self) -> u64 {
        self.time_ms.load(SeqCst)
    }

    /// Frames up to `end` are durable.
    pub(super) fn settled(&self, end: u64, time_ms: u64) {
        self.end.store(end, SeqCst);
        self.time_ms.store(time_ms, SeqCst);
    }

    /// The position in the file of an LSN within this segment.
    pub(super) fn position(&self, lsn: u64) -> u64 {
        lsn - self.base
    }

    /// The file, to read; opened anew for a sealed segment.
    pub(super) fn open(&self, disk: &dyn Disk) -> io::Result<Arc<dyn DiskFile>> {
        let held = lock(&self.file).clone();
        held.map_or_else(|| disk.open(&self.path, Access::Read), Ok)
    }

    /// The file, to write; held open from now on.
    pub(super) fn open_to_write(&self, disk: &dyn Disk) -> io::Result<Arc<dyn DiskFile>> {
        let mut held = lock(&self.file);
        if held.is_none() {
            *held = Some(disk.open(&self.path, Access::Write)?);
        }
        Ok(Arc::clone(held.as_ref().expect("the file was opened above")))
    }

    /// Nothing more will be written.
    pub(super) fn seal(&self) {
        self.written.store(self.limit(), SeqCst);
        *lock(&self.file) = None;
    }

    /// The writer is about to write up to `lsn`: zeroing keeps out of its way from now on.
    ///
    /// Writer and allocator each say where they will write and then look where the other is, so at least one of them
    /// sees an overlap: the allocator then gives way, and the writer waits for a piece that was begun. A lock would do,
    /// but the allocator, which takes it again at once, starved the writer for milliseconds.
    pub(super) fn writing(&self, lsn: u64) {
        self.written.store(lsn, SeqCst);
        while self.zeroing.load(SeqCst) < lsn {
            std::thread::yield_now();
        }
    }

    /// Zeroes the next piece. Returns whether there is more to do.
    pub(super) fn zero_some(&self, file: &dyn DiskFile) -> io::Result<bool> {
        let (written, zeroed) = (self.written.load(SeqCst), self.zeroed.load(SeqCst));
        let ahead = self.position(written).saturating_add(ZEROING_MARGIN).next_multiple_of(ZEROING_BYTES);
        let start = if written > zeroed { self.limit().min(self.base + ahead) } else { zeroed };
        let end = self.limit().min(start + ZEROING_BYTES);
        if start == end {
            return Ok(false);
        }
        self.zeroing.store(start, SeqCst);
        let free = self.written.load(SeqCst) <= start;
        let done = if free { write_zeros(file, self.position(start)..self.position(end)) } else { Ok(()) };
        self.zeroing.store(IDLE, SeqCst);
        done?;
        self.zeroed.store(if free { end } else { start }, SeqCst);
        if end == self.limit() || self.position(end).is_multiple_of(ZEROING_SYNC_BYTES) {
            file.sync()?;
        }
        Ok(end < self.limit() || !free)
    }
}
