//! Reading records: from the cached tail if they are there, otherwise from the disk.
//!
//! *Visibility*: a read never goes beyond the end that its visibility allows. Records read from the disk are always
//! durable.
//! *Damage*: every frame read from the disk is checked. An invalid frame is an error that names its position, and is
//! not changed. Records share the memory they were read into (a block of up to 1 MiB, or a whole append).

use std::{io, sync::Arc};

use bytes::Bytes;
use orderflow_schemas::{Offset, TopicPartition};

use super::{
    frame::{self, FrameKind, Section},
    partition::PartitionLog,
    scan::{Frame, Scan, ScanStep},
    segment::Segment,
    shared::{Ended, Shared},
};
use crate::{Chunk, LogError, Visibility};

/// The bytes read from the disk at once, at least and at most, unless a frame is larger.
const BLOCK_BYTES: std::ops::RangeInclusive<usize> = (64 << 10)..=(1 << 20);

/// The range and size of a requested read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) from: u64,
    /// No record at or beyond this offset is wanted.
    pub(super) end: u64,
    pub(super) bytes_max: usize,
}

/// Collects records until the requested read is complete.
#[derive(Debug)]
struct Collected {
    wanted: Wanted,
    records: Vec<Bytes>,
    bytes: usize,
    enough: bool,
}

impl Collected {
    fn new(wanted: Wanted) -> Self {
        Self { wanted, records: Vec::new(), bytes: 0, enough: false }
    }

    /// The offset of the next record to collect.
    fn next(&self) -> u64 {
        self.wanted.from + self.records.len() as u64
    }

    fn is_done(&self) -> bool {
        self.enough || self.next() >= self.wanted.end
    }

    /// Takes the wanted records of a body that starts at or before the next record. `None` if the body is malformed.
    fn take(&mut self, base: u64, body: &Bytes) -> Option<()> {
        let skip = self.next() - base;
        let mut left = self.wanted.end - self.next();
        let (bytes, enough, bytes_max) = (&mut self.bytes, &mut self.enough, self.wanted.bytes_max);
        let mut any = !self.records.is_empty();
        let take = |length: usize| {
            if left == 0 || (any && *bytes + length > bytes_max) {
                *enough = true;
                return false;
            }
            left -= 1;
            any = true;
            *bytes += length;
            true
        };
        frame::read_records(body, skip, take, &mut self.records)
    }
}

impl Shared {
    /// Implements [`crate::Topics::read`].
    pub(super) async fn read(
        self: &Arc<Self>,
        topic_partition: TopicPartition,
        from: Offset,
        bytes_max: usize,
        visibility: Visibility,
    ) -> Result<Chunk, LogError> {
        let partition = self.partition(topic_partition).ok_or(LogError::NoSuchPartition(topic_partition))?;
        self.check_readable(visibility)?;
        let end = partition.end(visibility);
        check_start(partition, from.0)?;
        let chunk = |records| Chunk { from, records, end: Offset(end) };
        if from.0 >= end {
            return Ok(chunk(Vec::new()));
        }
        let wanted = Wanted { from: from.0, end, bytes_max };
        if let Some(records) = read_cached(partition, wanted) {
            self.metrics.cache_hits.increment(1);
            return Ok(chunk(records));
        }
        self.metrics.cache_misses.increment(1);
        if !self.disk.blocks() {
            return self.read_disk(partition, wanted).map(chunk);
        }
        let (shared, partition) = (Arc::clone(self), Arc::clone(partition));
        let read = tokio::task::spawn_blocking(move || shared.read_disk(&partition, wanted));
        read.await.map_err(|error| LogError::Unavailable(error.to_string().into()))?.map(chunk)
    }

    /// Fails if the log was closed, or if it has failed and the read may see what is not durable.
    fn check_readable(&self, visibility: Visibility) -> Result<(), LogError> {
        match self.ended() {
            None | Some(Ended::ReadOnly) => Ok(()),
            Some(Ended::Failed(_)) if visibility == Visibility::Durable => Ok(()),
            Some(ended) => Err(LogError::Unavailable(ended.why())),
        }
    }

    /// Reads from the disk. Returns at least one record: the caller has checked that there is one.
    fn read_disk(&self, partition: &PartitionLog, wanted: Wanted) -> Result<Vec<Bytes>, LogError> {
        let wanted = Wanted { end: wanted.end.min(partition.end(Visibility::Durable)), ..wanted };
        match self.collect(partition, wanted) {
            Ok(records) => Ok(records),
            // Retention may have removed the segment in the meantime, which is not damage.
            Err(error) => Err(check_start(partition, wanted.from).err().unwrap_or(error)),
        }
    }

    fn collect(&self, partition: &PartitionLog, wanted: Wanted) -> Result<Vec<Bytes>, LogError> {
        let missing =
            || damaged(format!("record {} of {} is not in the log", wanted.from, partition.topic_partition));
        let mut lsn = partition.with_index(|index| index.find(wanted.from)).ok_or_else(missing)?;
        let mut collected = Collected::new(wanted);
        while !collected.is_done() {
            let segment = self.segment_at(lsn).ok_or_else(missing)?;
            lsn = lsn.max(segment.base);
            if lsn >= self.durable() {
                return Err(missing());
            }
            let stopped = self.collect_segment(&segment, lsn, partition.topic_partition, &mut collected);
            // Records before the error are intact and are returned; the next read meets the error.
            match stopped {
                Err(_) if !collected.records.is_empty() => break,
                other => lsn = other?,
            }
        }
        partition.with_index(|index| index.stopped(collected.next(), lsn));
        Ok(collected.records)
    }

    /// Collects from one segment. Returns the LSN at which to continue.
    fn collect_segment(
        &self,
        segment: &Segment,
        lsn: u64,
        topic_partition: TopicPartition,
        collected: &mut Collected,
    ) -> Result<u64, LogError> {
        let broken = |error: io::Error| {
            LogError::Unavailable(format!("reading {}: {error}", segment.path.display()).into())
        };
        let file = segment.open(&*self.disk).map_err(broken)?;
        let ahead = collected.wanted.bytes_max.saturating_add(collected.wanted.bytes_max / 8);
        let block_bytes = ahead.clamp(*BLOCK_BYTES.start(), *BLOCK_BYTES.end());
        let scan = Scan::new(file, segment.base, lsn..segment.end(), block_bytes);
        let mut scan = scan.sharing(&self.recent);
        loop {
            let start = scan.at();
            let place = |why: &str| {
                let position = segment.position(start);
                damaged(format!("{} at byte {position}: {why}", segment.path.display()))
            };
            match scan.step().map_err(broken)? {
                ScanStep::End => return Ok(segment.limit()),
                ScanStep::Invalid(why) => return Err(place(why)),
                ScanStep::Frame(frame) => {
                    take_frame(&frame, topic_partition, collected).map_err(place)?;
                    if collected.is_done() {
                        return Ok(start);
                    }
                }
            }
        }
    }
}

fn damaged(what: String) -> LogError {
    tracing::error!(what, "damage in the log");
    LogError::Damaged(what.into())
}

fn check_start(partition: &PartitionLog, from: u64) -> Result<(), LogError> {
    let start = partition.start();
    if from < start {
        return Err(LogError::Trimmed { topic_partition: partition.topic_partition, start: Offset(start) });
    }
    Ok(())
}

fn read_cached(partition: &PartitionLog, wanted: Wanted) -> Option<Vec<Bytes>> {
    let bodies = partition.with_cache(|cache| cache.from(wanted.from, wanted.end, wanted.bytes_max))?;
    let mut collected = Collected::new(wanted);
    for body in bodies {
        if collected.is_done() {
            break;
        }
        collected.take(body.base, &body.body).expect("a cached body is what was encoded here");
    }
    Some(collected.records)
}

/// Takes the wanted records of the partition out of a frame.
fn take_frame(
    frame: &Frame,
    topic_partition: TopicPartition,
    collected: &mut Collected,
) -> Result<(), &'static str> {
    if frame.header.kind != FrameKind::Records {
        return Ok(());
    }
    for section in frame::sections(&frame.payload) {
        let section: Section = section.ok_or("the frame is malformed")?;
        if section.topic_partition != topic_partition
            || section.end() <= collected.next()
            || collected.is_done()
        {
            continue;
        }
        if section.base > collected.next() {
            return Err("records are missing before this frame");
        }
        let body = frame.payload.slice(section.body.clone());
        collected.take(section.base, &body).ok_or("a record is longer than its frame")?;
    }
    Ok(())
}
