//! The writer: writes one group of frames after the other, syncs it, then publishes it.
//!
//! *Ordering*: exactly one group is in progress at any time, and a group lies in one segment. What is durable is
//! therefore always a prefix of the log.
//! *Durability*: a group is durable when `fdatasync` returns, and is not reported to anything before that.
//! *Failure*: when a write or sync fails, the log has ended permanently. The kernel may have dropped the pages and
//! marked them clean, so a retry would prove nothing. Only a new opening reads what is really on the disk.

use std::{io, sync::Arc, time::Instant};

use orderflow_world::disk::DiskFile;

use super::{
    admission::{FramePayload, PendingFrame},
    codec::as_u32,
    frame::{self, FrameHeader},
    heads::Heads,
    index::{IndexEntry, SealedIndex, SegmentIndex},
    lock,
    segment::Segment,
    shared::{Ended, Shared},
};
use crate::Visibility;

/// Makes accepted appends durable. Each log has one writer.
#[derive(Debug)]
pub struct Writer {
    shared: Arc<Shared>,
    segment: Arc<Segment>,
    file: Arc<dyn DiskFile>,
    index: SegmentIndex,
    /// Whether the segment's last frame is a closing one, or the segment has no frame: then no closing frame is
    /// missing.
    vouched: bool,
    buffer: Vec<u8>,
}

/// The outcome of a step of the writer or the allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// The step did some work; there may be more.
    Work,
    /// There is nothing to do at present.
    Nothing,
    /// The step tried and failed; a retry after a pause may succeed.
    Failed,
    /// There is nothing to do, and there never will be: the log has ended.
    Ended,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        segment: Arc<Segment>,
        index: SegmentIndex,
        vouched: bool,
    ) -> io::Result<Self> {
        let file = segment.open_to_write(&*shared.disk)?;
        Ok(Self { shared, segment, file, index, vouched, buffer: Vec::new() })
    }

    /// Runs steps until the log has ended.
    pub(super) fn run(mut self) {
        loop {
            match self.step(now_ms()) {
                StepOutcome::Work => {}
                StepOutcome::Ended => return,
                StepOutcome::Nothing | StepOutcome::Failed => self.wait(),
            }
        }
    }

    fn wait(&self) {
        let admission = lock(&self.shared.admission);
        let waited =
            self.shared.writable.wait_while(admission, |state| state.pending.is_empty() && !state.closed);
        drop(waited.expect("no thread panics while it holds this lock"));
    }

    /// Takes all pending frames of one segment and makes them durable. `now_ms` is the time that the frames record, in
    /// milliseconds since 1970.
    pub fn step(&mut self, now_ms: u64) -> StepOutcome {
        if self.shared.ended().is_some() {
            return StepOutcome::Ended;
        }
        let group = {
            let mut admission = lock(&self.shared.admission);
            if admission.closed && admission.pending.is_empty() && !self.vouched {
                admission.close();
                self.vouched = true;
            }
            let group = admission.take_group();
            if group.is_empty() && admission.closed {
                drop(admission);
                self.shared.end(Ended::Closed);
                return StepOutcome::Ended;
            }
            group
        };
        if group.is_empty() {
            return StepOutcome::Nothing;
        }
        match self.settle(&group, now_ms) {
            Ok(()) => StepOutcome::Work,
            Err(error) => {
                tracing::error!(file = %self.segment.path.display(), %error, "the log failed; it takes no more");
                self.shared.end(Ended::Failed(format!("writing the log failed: {error}").into()));
                StepOutcome::Ended
            }
        }
    }

    fn settle(&mut self, group: &[PendingFrame], now_ms: u64) -> io::Result<()> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(()) };
        let sealed = self.enter(&first.segment)?;
        self.segment.writing(last.end());
        let synced = self.shared.durable();
        for frame in group {
            self.build(frame, synced, now_ms);
            self.file.write_at(&self.buffer, self.segment.position(frame.lsn))?;
        }
        let started = Instant::now();
        self.file.sync()?;
        self.shared.metrics.sync_seconds.record(started.elapsed());
        self.shared.metrics.group_bytes.record((last.end() - first.lsn) as f64);
        self.shared.metrics.appended_bytes.increment(last.end() - first.lsn);
        self.publish(group, now_ms);
        if let Some(sealed) = sealed {
            self.shared.add_chore(|chores| chores.sealed.push(sealed));
        }
        Ok(())
    }

    /// Moves on to `segment` unless it is the current one. Returns the index of the segment that is left.
    fn enter(&mut self, segment: &Arc<Segment>) -> io::Result<Option<SealedIndex>> {
        if segment.base == self.segment.base {
            return Ok(None);
        }
        let left = std::mem::replace(&mut self.segment, Arc::clone(segment));
        let index =
            std::mem::replace(&mut self.index, SegmentIndex::new(self.shared.settings.index_stride_bytes));
        self.file = segment.open_to_write(&*self.shared.disk)?;
        left.seal();
        Ok(Some(SealedIndex {
            base: left.base,
            end: left.end(),
            time_ms: left.time_ms(),
            heads: left.heads.get().cloned().unwrap_or_default(),
            ends: segment.heads.get().cloned().unwrap_or_default(),
            entries: index.into_entries(),
        }))
    }

    fn build(&mut self, frame: &PendingFrame, synced: u64, time_ms: u64) {
        let length = as_u32(frame.payload_bytes);
        let header = FrameHeader { kind: frame.kind(), length, lsn: frame.lsn, synced, time_ms };
        self.buffer.clear();
        frame::write(&mut self.buffer, &header, |buffer| match &frame.payload {
            FramePayload::Heads(heads) => Heads::write(heads, buffer),
            FramePayload::Close => {}
            FramePayload::Records(sections) => {
                for section in sections {
                    let topic_partition = section.partition.topic_partition;
                    frame::write_section(buffer, topic_partition, section.base, section.count, &section.body);
                }
            }
        });
    }

    /// Publishes a durable group: first the index entries, then the ends of the partitions, then the notifications of
    /// waiting tasks.
    fn publish(&mut self, group: &[PendingFrame], now_ms: u64) {
        let Some(end) = group.last().map(PendingFrame::end) else { return };
        self.vouched = matches!(group.last(), Some(PendingFrame { payload: FramePayload::Close, .. }));
        self.segment.settled(end, now_ms);
        let (mut records, mut permits) = (0, 0);
        for frame in group {
            permits += frame.permits;
            let FramePayload::Records(sections) = &frame.payload else { continue };
            for section in sections {
                let partition = &section.partition;
                let entry = IndexEntry {
                    topic_partition: partition.topic_partition,
                    offset: section.base,
                    lsn: frame.lsn,
                };
                if self.index.note(entry).is_some() {
                    partition.with_index(|index| index.push(entry.offset, entry.lsn));
                }
                partition.advance(Visibility::Durable, section.base + u64::from(section.count));
                records += u64::from(section.count);
            }
        }
        self.shared.metrics.appended_records.increment(records);
        self.shared.set_durable(end);
        self.shared.budget.add_permits(permits);
        for frame in group {
            let FramePayload::Records(sections) = &frame.payload else { continue };
            sections.iter().for_each(|section| section.partition.wake(Visibility::Durable));
        }
    }
}

/// The time of this machine, in milliseconds since 1970.
fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
