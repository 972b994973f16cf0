//! The allocator prepares the next segment before it is needed, zeroes segments ahead of the writer, and writes the
//! index files of sealed segments.
//!
//! *Ordering*: allocation comes first, since appends may wait for it. Zeroing comes last, in small pieces that are
//! synced regularly, so that it never builds up a burst in front of the writer's own syncs.
//! *Failure*: a segment that cannot be allocated makes the log full, not failed. The other tasks are optimisations, and
//! their failures are only reported. Zeroing uses its own file handle: Linux reports a write error once to each handle,
//! and the writer must not miss its report.

use std::{io, sync::Arc, time::Duration};

use orderflow_world::disk::{Access, DiskFile};

use super::{
    admission::Next,
    index::SealedIndex,
    lock,
    segment::{Segment, file_name},
    shared::Shared,
    writer::StepOutcome,
};
use crate::metrics as names;

/// The pause after a failed allocation before the allocator tries again without a request.
const RETRY: Duration = Duration::from_millis(500);

/// Prepares segments. Each log has one allocator.
#[derive(Debug)]
pub struct Allocator {
    shared: Arc<Shared>,
    /// Segments that are being zeroed, the most urgent one last, with this thread's own handles on their files.
    zeroing: Vec<(Arc<Segment>, Arc<dyn DiskFile>)>,
    full: bool,
}

impl Allocator {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, zeroing: Vec::new(), full: false }
    }

    /// Runs chores until the log has ended.
    pub(super) fn run(mut self) {
        let mut full = false;
        loop {
            match self.step() {
                StepOutcome::Work => {}
                StepOutcome::Ended => return,
                StepOutcome::Failed => full = true,
                StepOutcome::Nothing => {
                    self.wait(full.then_some(RETRY));
                    if std::mem::take(&mut full) {
                        self.shared.retry_allocation(&mut lock(&self.shared.admission));
                    }
                }
            }
        }
    }

    fn wait(&self, longest: Option<Duration>) {
        let chores = lock(&self.shared.chores);
        let idle = |chores: &mut super::shared::Chores| {
            !chores.allocate && !chores.ended && chores.sealed.is_empty() && chores.zeroing.is_empty()
        };
        let added = &self.shared.chore_added;
        let waited = match longest {
            None => added.wait_while(chores, idle).map(drop).is_ok(),
            Some(longest) => added.wait_timeout_while(chores, longest, idle).map(drop).is_ok(),
        };
        assert!(waited, "no thread panics while it holds this lock");
    }

    /// Runs the most urgent chore.
    pub fn step(&mut self) -> StepOutcome {
        let (allocate, sealed, ended) = {
            let mut chores = lock(&self.shared.chores);
            let allocate = std::mem::take(&mut chores.allocate) && !chores.ended;
            let sealed = if allocate { None } else { chores.sealed.pop() };
            (allocate, sealed, chores.ended)
        };
        if allocate {
            return self.allocate();
        }
        if let Some(sealed) = sealed {
            self.write_index(&sealed);
            return StepOutcome::Work;
        }
        if ended {
            return StepOutcome::Ended;
        }
        match self.zero_some() {
            Ok(did) => did,
            Err(error) => {
                tracing::warn!(%error, "a segment could not be zeroed ahead; appends to it will be slower");
                self.zeroing.pop();
                StepOutcome::Work
            }
        }
    }

    fn allocate(&mut self) -> StepOutcome {
        let (base, wanted) = {
            let mut admission = lock(&self.shared.admission);
            admission.attempts += 1;
            (admission.active.limit(), matches!(admission.next, Next::Wanted))
        };
        if !wanted {
            return StepOutcome::Work;
        }
        let made = self.make(base);
        self.report(made.as_ref().err());
        let mut admission = lock(&self.shared.admission);
        let did = match made {
            Ok(segment) => {
                admission.next = Next::Ready(Arc::clone(&segment));
                lock(&self.shared.chores).zeroing.push(segment);
                StepOutcome::Work
            }
            Err(why) => {
                admission.next = Next::Failed;
                admission.failed_attempt = admission.attempts;
                admission.why_full = why;
                StepOutcome::Failed
            }
        };
        drop(admission);
        self.shared.allocated.notify_waiters();
        did
    }

    fn make(&self, base: u64) -> Result<Arc<Segment>, Arc<str>> {
        let (segments, bytes) = self.shared.size();
        let length = self.shared.settings.segment_bytes;
        if let Some(bytes_max) = self.shared.settings.bytes_max
            && bytes + length > bytes_max
        {
            return Err(format!("it is at its limit of {bytes_max} bytes").into());
        }
        let made = Segment::create(&*self.shared.disk, &self.shared.dir, base, length);
        metrics::gauge!(names::SEGMENTS.name).set(segments as f64 + if made.is_ok() { 1.0 } else { 0.0 });
        made.map(Arc::new).map_err(|error| format!("no further segment could be allocated: {error}").into())
    }

    fn report(&mut self, failure: Option<&Arc<str>>) {
        metrics::gauge!(names::FULL.name).set(if failure.is_some() { 1.0 } else { 0.0 });
        if let (Some(why), false) = (failure, self.full) {
            tracing::warn!(dir = %self.shared.dir.display(), %why, "the log has no room beyond its active segment");
        }
        self.full = failure.is_some();
    }

    fn write_index(&self, sealed: &SealedIndex) {
        let path = self.shared.dir.join(index_name(sealed.base));
        let written = (|| {
            let file = self.shared.disk.open(&path, Access::Create)?;
            file.write_at(&sealed.write(), 0)?;
            file.sync()
        })();
        if let Err(error) = written {
            tracing::warn!(file = %path.display(), %error, "an index file could not be written; it will be rebuilt");
        }
    }

    /// Zeroes one piece of a segment. A new segment comes before the rest of older ones, since the writer is not in its
    /// file yet. Only after opening does the active segment come first.
    fn zero_some(&mut self) -> io::Result<StepOutcome> {
        let added = std::mem::take(&mut lock(&self.shared.chores).zeroing);
        for segment in added.into_iter().rev() {
            let file = self.shared.disk.open(&segment.path, Access::Write)?;
            self.zeroing.push((segment, file));
        }
        let Some((segment, file)) = self.zeroing.last() else { return Ok(StepOutcome::Nothing) };
        if !segment.zero_some(&**file)? {
            self.zeroing.pop();
        }
        Ok(StepOutcome::Work)
    }
}

/// The name of the index file of the segment that starts at this LSN.
pub(super) fn index_name(base: u64) -> String {
    file_name(base).replace(".log", ".idx")
}
