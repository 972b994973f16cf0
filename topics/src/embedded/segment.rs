//! Segment files: pieces of the log with a fixed size, named by the LSN of their first byte.
//!
//! *Layout*: frames one after the other from the start, zeros after the last frame. The next segment's LSN is this
//! one's plus its length, so segments of different lengths can follow each other when the setting changes.
//! *Allocation*: a segment is allocated, and its name and length are durable, before anything is accepted into it.
//! Nothing that was accepted can therefore meet a full disk. Zeroing a segment ahead of the writer makes `fdatasync`
//! several times faster (no extents to convert). It is only an optimisation, and keeps away from the bytes that the
//! writer uses.

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

/// The distance in bytes that zeroing keeps ahead of the writer.
const ZEROING_MARGIN: u64 = 2 << 20;
/// The size of the piece that is zeroed at once, in bytes.
const ZEROING_BYTES: u64 = 64 << 10;
/// The distance in bytes between syncs while zeroing.
const ZEROING_SYNC_BYTES: u64 = 32 * ZEROING_BYTES;

/// A segment file and its state.
#[derive(Debug)]
pub(super) struct Segment {
    /// The LSN of the file's first byte.
    pub(super) base: u64,
    /// The size of the file in bytes.
    pub(super) length: u64,
    pub(super) path: PathBuf,
    /// The next offset of each partition at the segment's start; known once the segment is in use.
    pub(super) heads: OnceLock<Heads>,
    /// The open file; closed when the segment is sealed.
    file: Mutex<Option<Arc<dyn DiskFile>>>,
    /// The LSN after the last durable frame.
    end: AtomicU64,
    /// When the last durable frame was written, in milliseconds since 1970; 0 if there is none.
    time_ms: AtomicU64,
    /// Bytes before this LSN belong to the writer, and are not zeroed.
    written: AtomicU64,
    /// The LSN of the piece that is being zeroed at present; [`IDLE`] if none is.
    zeroing: AtomicU64,
    /// The LSN after the last zeroed piece.
    zeroed: AtomicU64,
}

/// The value of `zeroing` while nothing is being zeroed.
const IDLE: u64 = u64::MAX;

/// The name of the segment file that starts at this LSN.
pub(super) fn file_name(base: u64) -> String {
    format!("{base:020}.log")
}

/// The LSN in the name of a segment file; `None` for any other name.
pub(super) fn base_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 20).then(|| digits.parse().ok())?
}

impl Segment {
    /// A segment whose file exists, covers the LSNs of `range` and has durable frames up to `end`.
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

    /// Creates a segment: its space is allocated, and name and length are durable. A failed attempt tries to remove its
    /// file.
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
                // The file may not exist. If it cannot be removed, the next attempt or the next opening empties it.
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

    /// The LSN after the last durable frame.
    pub(super) fn end(&self) -> u64 {
        self.end.load(SeqCst)
    }

    /// When the last durable frame was written, in milliseconds since 1970; 0 if there is none.
    pub(super) fn time_ms(&self) -> u64 {
        self.time_ms.load(SeqCst)
    }

    /// Notes that frames up to `end` are durable; `time_ms` is when they were written.
    pub(super) fn settled(&self, end: u64, time_ms: u64) {
        self.end.store(end, SeqCst);
        self.time_ms.store(time_ms, SeqCst);
    }

    /// The position in the file, in bytes, of an LSN within this segment.
    pub(super) fn position(&self, lsn: u64) -> u64 {
        lsn - self.base
    }

    /// The file for reading; a sealed segment's file is opened anew.
    pub(super) fn open(&self, disk: &dyn Disk) -> io::Result<Arc<dyn DiskFile>> {
        let held = lock(&self.file).clone();
        held.map_or_else(|| disk.open(&self.path, Access::Read), Ok)
    }

    /// The file for writing; it stays open until the segment is sealed.
    pub(super) fn open_to_write(&self, disk: &dyn Disk) -> io::Result<Arc<dyn DiskFile>> {
        let mut held = lock(&self.file);
        if held.is_none() {
            *held = Some(disk.open(&self.path, Access::Write)?);
        }
        Ok(Arc::clone(held.as_ref().expect("the file was opened above")))
    }

    /// Notes that nothing more will be written, and closes the file.
    pub(super) fn seal(&self) {
        self.written.store(self.limit(), SeqCst);
        *lock(&self.file) = None;
    }

    /// Announces that the writer is about to write up to `lsn`; from now on zeroing keeps away from those bytes.
    ///
    /// Writer and allocator each announce where they will write, and then check where the other is. At least one of
    /// them therefore sees an overlap: the allocator then gives way, and the writer waits for a piece that was begun. A
    /// lock would also be correct, but the allocator took it again at once and so starved the writer for milliseconds.
    pub(super) fn writing(&self, lsn: u64) {
        self.written.store(lsn, SeqCst);
        while self.zeroing.load(SeqCst) < lsn {
            std::thread::yield_now();
        }
    }

    /// Zeroes the next piece. Returns whether there is more to zero.
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
