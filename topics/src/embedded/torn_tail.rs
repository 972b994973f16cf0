//! The tail of the active segment on opening: examining what lies after the last valid frame, and repairing what a
//! crash left.
//!
//! *Durability*: nothing is changed before the whole tail was examined and found to be torn, not damaged. The repair is
//! synced before the log is used. Repeating the repair, after a crash during the first one, has the same result.

use std::sync::Arc;

use orderflow_world::disk::{Access, write_zeros};

use super::{
    OpenError,
    error::damage,
    frame::ALIGNMENT,
    recovery::{Found, Recovered, Recovery},
    replay::Replay,
    scan::remains,
    segment::Segment,
};

impl Recovery<'_> {
    /// Creates the first segment again, which was left without frames and not fully allocated.
    pub(super) fn start_over(&self, recovered: &mut Recovered, file: &Found) -> Result<(), OpenError> {
        let segment = Segment::create(self.disk, self.dir, file.base, self.settings.segment_bytes)
            .map_err(OpenError::io("allocate", &file.path))?;
        recovered.segments.push(Arc::new(segment));
        Ok(())
    }

    /// For `file` and each later file, the LSN after the last byte that is not zero; in `file` only bytes after the
    /// last valid frame, at `end`, count. `None` if there are only zeros. Fails if a frame there says that more was
    /// durable.
    pub(super) fn check_tail(
        &self,
        file: &Found,
        end: u64,
        later: &[Found],
    ) -> Result<Vec<Option<u64>>, OpenError> {
        let mut torn = Vec::new();
        for (n, candidate) in std::iter::once(file).chain(later).enumerate() {
            let io = || OpenError::io("read", &candidate.path);
            let open = self.disk.open(&candidate.path, Access::Read).map_err(io())?;
            let start = if n == 0 { end } else { candidate.base };
            let range = start..candidate.base + candidate.length;
            let remains = remains(&open, candidate.base, range, end).map_err(io())?;
            if remains.vouching.is_some() {
                return Err(damage(&file.path, end - file.base, "an invalid frame in front of durable ones"));
            }
            torn.push(remains.end);
        }
        Ok(torn)
    }

    /// Pads the file to an end at which a frame may start. A file that was truncated, as a copy may be, can end within
    /// the padding of a whole frame. It gets that padding back, and the next segment gets an aligned base. Changes
    /// nothing without `repair`.
    pub(super) fn pad(&self, file: &Found) -> Result<Found, OpenError> {
        let length = file.length.next_multiple_of(ALIGNMENT as u64);
        if !self.repair {
            return Ok(file.clone());
        }
        if length > file.length {
            let io = || OpenError::io("repair", &file.path);
            let open = self.disk.open(&file.path, Access::Write).map_err(io())?;
            write_zeros(&*open, file.length..length).map_err(io())?;
            open.sync().map_err(io())?;
        }
        Ok(Found { length, ..file.clone() })
    }

    /// Zeroes the bytes after the last valid frame up to `torn`, and makes everything before them durable.
    pub(super) fn repair_tail(
        &self,
        file: &Found,
        scanned: &Replay,
        torn: Option<u64>,
    ) -> Result<(), OpenError> {
        let io = || OpenError::io("repair", &file.path);
        let open = self.disk.open(&file.path, Access::Write).map_err(io())?;
        if let Some(torn) = torn {
            write_zeros(&*open, scanned.end - file.base..torn - file.base).map_err(io())?;
        }
        let unvouched = scanned.synced.max(file.base)..scanned.end;
        let mut bytes = vec![0; usize::try_from(unvouched.end - unvouched.start).unwrap_or(0)];
        open.read_at(&mut bytes, unvouched.start - file.base).map_err(io())?;
        open.write_at(&bytes, unvouched.start - file.base).map_err(io())?;
        open.sync().map_err(io())
    }

    /// Keeps the segment that was prepared after the active one if its place and size are right and it holds only
    /// zeros. Removes all other files after the active one.
    pub(super) fn take_next<'a>(
        &self,
        recovered: &mut Recovered,
        active: &Found,
        later: impl Iterator<Item = (&'a Found, &'a Option<u64>)>,
    ) -> Result<(), OpenError> {
        if !self.repair {
            return Ok(());
        }
        for (file, torn) in later {
            let fits = file.base == active.base + active.length && file.length == self.settings.segment_bytes;
            if fits && torn.is_none() {
                let range = file.base..file.base + file.length;
                recovered.next = Some(Arc::new(Segment::existing(self.dir, range, file.base, 0)));
            } else {
                self.disk.remove(&file.path).map_err(OpenError::io("remove", &file.path))?;
            }
        }
        Ok(())
    }
}
