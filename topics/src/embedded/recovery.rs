//! Opening: determining what is durable, distinguishing a torn tail from damage, and repairing a torn tail.
//!
//! *Sealed segments*: a sealed segment ends where the first frame of the next one says that everything before was
//! durable. Its index file replaces a scan if it agrees with that frame, and is rebuilt if not.
//! *The active segment* is the last one that starts with a valid frame. Its tail is cut at the first invalid frame,
//! unless a later frame, in this file or a later one, says that more was durable. That is damage: opening fails and
//! nothing is changed.
//! *Repair*: the bytes after the cut are zeroed, so that stale frames cannot come back. Frames that no later frame
//! vouches for are written again before the sync: after a failed sync the page cache may treat their pages as clean
//! although they are not on the disk.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use orderflow_schemas::Offset;
use orderflow_world::disk::{Access, Disk, read_file};

use super::{
    Cut, OpenError, OpenReport,
    allocator::index_name,
    error::damage,
    frame::FrameKind,
    heads::Heads,
    index::{IndexEntry, SealedIndex, SegmentIndex},
    replay::Replay,
    scan::{Frame, Scan, ScanStep},
    segment::{self, Segment},
    settings::LogSettings,
};

const BLOCK_BYTES: usize = 1 << 20;

/// The result of a recovery.
#[derive(Debug)]
pub(super) struct Recovered {
    /// All segments in use, oldest first; the last one is active.
    pub(super) segments: Vec<Arc<Segment>>,
    /// The empty segment that was prepared after the active one, if it can be used.
    pub(super) next: Option<Arc<Segment>>,
    /// The first stored offset of each partition; `ends` has the offset after its last record.
    pub(super) starts: Heads,
    pub(super) ends: Heads,
    pub(super) entries: Vec<IndexEntry>,
    /// The index of the active segment up to its last frame.
    pub(super) active_index: SegmentIndex,
    /// Whether the last frame closed the log, or the active segment has no frame: then no closing frame is missing.
    pub(super) vouched: bool,
    /// The rebuilt index files, which are still to be written.
    pub(super) rebuilt: Vec<SealedIndex>,
    pub(super) report: OpenReport,
}

/// A segment file that was found in the directory.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) base: u64,
    pub(super) length: u64,
    pub(super) path: PathBuf,
}

/// Recovers the log in `dir`. Changes files only if `repair` is true.
pub(super) fn recover(
    disk: &dyn Disk,
    dir: &Path,
    settings: &LogSettings,
    repair: bool,
) -> Result<Recovered, OpenError> {
    Recovery { disk, dir, settings, repair }.run()
}

/// The inputs of a recovery that is in progress.
pub(super) struct Recovery<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) dir: &'a Path,
    pub(super) settings: &'a LogSettings,
    pub(super) repair: bool,
}

impl Recovery<'_> {
    fn run(&self) -> Result<Recovered, OpenError> {
        let found = self.find()?;
        let mut recovered = Recovered {
            segments: Vec::new(),
            next: None,
            starts: Heads::default(),
            ends: Heads::default(),
            entries: Vec::new(),
            active_index: SegmentIndex::new(self.settings.index_stride_bytes),
            vouched: true,
            rebuilt: Vec::new(),
            report: OpenReport::default(),
        };
        for (n, file) in found.iter().enumerate() {
            let after = found.get(n + 1).map(|next| self.first_frame(next)).transpose()?.flatten();
            if let (Some(first), Some(next)) = (after, found.get(n + 1)) {
                self.seal(&mut recovered, file, next, &first)?;
            } else {
                self.activate(&mut recovered, file, &found[n + 1..])?;
                break;
            }
        }
        if recovered.segments.is_empty() && self.repair {
            let segment = Segment::create(self.disk, self.dir, 0, self.settings.segment_bytes)
                .map_err(OpenError::io("allocate the first segment in", self.dir))?;
            recovered.segments.push(Arc::new(segment));
        }
        self.finish(&mut recovered);
        Ok(recovered)
    }

    fn find(&self) -> Result<Vec<Found>, OpenError> {
        let names = self.disk.list(self.dir).map_err(OpenError::io("list", self.dir))?;
        let mut found = Vec::new();
        for base in names.iter().filter_map(|name| segment::base_of(name)) {
            let path = self.dir.join(segment::file_name(base));
            let file = self.disk.open(&path, Access::Read).map_err(OpenError::io("open", &path))?;
            let length = file.len().map_err(OpenError::io("look at", &path))?;
            found.push(Found { base, length, path });
        }
        found.sort_by_key(|file| file.base);
        Ok(found)
    }

    /// The first frame of a segment, which holds its heads; `None` if the segment is not in use.
    fn first_frame(&self, file: &Found) -> Result<Option<Frame>, OpenError> {
        let mut scan = self.scan(file)?;
        match scan.step().map_err(OpenError::io("read", &file.path))? {
            ScanStep::Frame(frame) if frame.header.kind == FrameKind::Heads => Ok(Some(frame)),
            _ => Ok(None),
        }
    }

    fn scan(&self, file: &Found) -> Result<Scan<'static>, OpenError> {
        let open = self.disk.open(&file.path, Access::Read).map_err(OpenError::io("open", &file.path))?;
        Ok(Scan::new(open, file.base, file.base..file.base + file.length, BLOCK_BYTES))
    }

    /// Recovers a sealed segment: one whose successor `next` is in use and starts with the frame `first`.
    fn seal(
        &self,
        recovered: &mut Recovered,
        file: &Found,
        next: &Found,
        first: &Frame,
    ) -> Result<(), OpenError> {
        if file.base + file.length != next.base {
            return Err(damage(
                &file.path,
                file.length,
                "the segment after this one is missing, or its size has changed",
            ));
        }
        let heads_after = Heads::read(&first.payload)
            .ok_or_else(|| damage(&next.path, 0, "the segment starts with malformed heads"))?;
        let sealed = match self.read_index(file, recovered, first.header.synced, &heads_after) {
            Some(sealed) => sealed,
            None => {
                let scanned = self.scan_segment(file, recovered)?;
                if scanned.end != first.header.synced || scanned.ends != heads_after {
                    return Err(damage(
                        &file.path,
                        scanned.end - file.base,
                        "an invalid frame where durable ones were",
                    ));
                }
                let sealed = SealedIndex {
                    base: file.base,
                    end: scanned.end,
                    time_ms: scanned.time_ms,
                    heads: scanned.heads,
                    ends: scanned.ends,
                    entries: scanned.index.into_entries(),
                };
                recovered.rebuilt.push(sealed.clone());
                sealed
            }
        };
        self.take(recovered, file, sealed.end, sealed.time_ms, sealed.heads);
        recovered.entries.extend(sealed.entries);
        recovered.ends = sealed.ends;
        Ok(())
    }

    /// The segment's index file, if it exists, is intact and agrees with the neighbouring segments.
    fn read_index(&self, file: &Found, recovered: &Recovered, end: u64, ends: &Heads) -> Option<SealedIndex> {
        let bytes = read_file(self.disk, &self.dir.join(index_name(file.base))).ok()?;
        let index = SealedIndex::read(&bytes)?;
        let continues = recovered.segments.is_empty() || index.heads == recovered.ends;
        (index.base == file.base && index.end == end && index.ends == *ends && continues).then_some(index)
    }

    /// Recovers the active segment: the last one in use, or the first file if none is in use.
    fn activate(&self, recovered: &mut Recovered, file: &Found, later: &[Found]) -> Result<(), OpenError> {
        let scanned = self.scan_segment(file, recovered)?;
        if recovered.segments.is_empty() && file.base > 0 && scanned.is_empty {
            return Err(damage(&file.path, 0, "the log does not start with the heads that retention left"));
        }
        let torn = self.check_tail(file, scanned.end, later)?;
        if scanned.is_empty && torn[0].is_none() && file.length != self.settings.segment_bytes && self.repair
        {
            return self.start_over(recovered, file);
        }
        let file = &self.pad(file)?;
        if self.repair {
            self.repair_tail(file, &scanned, torn[0])?;
        }
        if let Some(end) = torn[0] {
            let (position, bytes) = (scanned.end - file.base, end - scanned.end);
            tracing::warn!(file = %file.path.display(), position, bytes, "a torn tail of the log was cut");
            recovered.report.cut = Some(Cut { file: file.path.clone(), position, bytes });
        }
        recovered.vouched = scanned.closed || scanned.end == file.base;
        self.take(recovered, file, scanned.end, scanned.time_ms, scanned.heads);
        recovered.entries.extend(scanned.index.entries());
        recovered.active_index = scanned.index;
        recovered.ends = scanned.ends;
        self.take_next(recovered, file, later.iter().zip(&torn[1..]))
    }

    fn take(&self, recovered: &mut Recovered, file: &Found, end: u64, time_ms: u64, heads: Heads) {
        if recovered.segments.is_empty() {
            recovered.starts = heads.clone();
        }
        let range = file.base..file.base + file.length;
        let segment = Segment::existing(self.dir, range, end, time_ms);
        if end > file.base {
            let _ = segment.heads.set(heads);
        }
        recovered.segments.push(Arc::new(segment));
    }

    /// Scans a segment up to its first invalid frame or its end.
    fn scan_segment(&self, file: &Found, recovered: &Recovered) -> Result<Replay, OpenError> {
        let mut scan = self.scan(file)?;
        let known = (!recovered.segments.is_empty()).then(|| recovered.ends.clone());
        let heads = known.clone().unwrap_or_default();
        let mut scanned = Replay::new(file.base, heads, self.settings.index_stride_bytes);
        loop {
            let lsn = scan.at();
            match scan.step() {
                Ok(ScanStep::Frame(frame)) => scanned
                    .add(&frame, known.as_ref())
                    .map_err(|why| damage(&file.path, lsn - file.base, why))?,
                Ok(ScanStep::Invalid(_) | ScanStep::End) => return Ok(scanned),
                Err(error) => return Err(OpenError::io("read", &file.path)(error)),
            }
        }
    }

    fn finish(&self, recovered: &mut Recovered) {
        let report = &mut recovered.report;
        report.segments = recovered.segments.len();
        report.indexes_rebuilt = recovered.rebuilt.len();
        for (topic_partition, end) in recovered.ends.iter() {
            report
                .partitions
                .insert(topic_partition, Offset(recovered.starts.get(topic_partition))..Offset(end));
        }
    }
}

impl Recovered {
    /// Takes the index of the active segment, which the writer continues.
    pub(super) fn take_active_index(&mut self) -> SegmentIndex {
        std::mem::replace(&mut self.active_index, SegmentIndex::new(0))
    }
}
