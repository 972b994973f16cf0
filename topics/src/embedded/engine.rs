//! Opening and closing the embedded log.
//!
//! An open log has two threads, the writer and the allocator; closing joins both. Deterministic tests can open the log
//! without threads; the caller then runs their steps.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
};

use orderflow_schemas::{Topic, TopicPartition};
use orderflow_world::disk::{Disk, LockError, LockGuard, LockKind, RealDisk};

use super::{
    Allocator, LogSettings, OpenError, OpenReport, Removed, Writer,
    admission::{Admission, Next},
    catalog::Catalog,
    index::PartitionIndex,
    lock,
    recovery::{Recovered, recover},
    shared::{Ended, Shared},
};

/// The durable log of one directory.
///
/// It can be opened anywhere, but the futures of its [`crate::Topics`] need a tokio runtime: disk reads use the
/// blocking threads of that runtime. Dropping the log closes it.
#[derive(Debug)]
pub struct EmbeddedLog {
    pub(super) shared: Arc<Shared>,
    threads: Mutex<Threads>,
    lock: Mutex<Option<LockGuard>>,
}

#[derive(Debug, Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    allocator: Option<JoinHandle<()>>,
}

/// The work of the two threads as single steps, for a caller that decides their order.
#[derive(Debug)]
pub struct Steps {
    /// Makes accepted appends durable.
    pub writer: Writer,
    /// Allocates and zeroes segments, and writes index files.
    pub allocator: Allocator,
}

impl EmbeddedLog {
    /// Opens the log in `dir`, a directory of its own, which is created if it does not exist. Recovers from a crash.
    pub fn open(dir: impl AsRef<Path>, settings: LogSettings) -> Result<(Self, OpenReport), OpenError> {
        Self::open_on(Arc::new(RealDisk), dir, settings)
    }

    /// Opens the log like [`Self::open`], on another disk.
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: impl AsRef<Path>,
        settings: LogSettings,
    ) -> Result<(Self, OpenReport), OpenError> {
        let (log, Steps { writer, allocator }, report) = Self::open_stepped(disk, &dir, settings)?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            thread::Builder::new()
                .name(name.to_owned())
                .spawn(run)
                .map_err(OpenError::io("start a thread for", dir.as_ref()))
        };
        // If starting the second thread fails, dropping the log ends the first.
        let started = spawn("log-writer", Box::new(|| writer.run()))?;
        lock(&log.threads).writer = Some(started);
        let started = spawn("log-allocator", Box::new(|| allocator.run()))?;
        lock(&log.threads).allocator = Some(started);
        Ok((log, report))
    }

    /// Opens the log like [`Self::open_on`], but without threads: only the caller's steps make records durable and
    /// prepare segments. Dropping the log and the steps without running further steps has the effect of a crash.
    pub fn open_stepped(
        disk: Arc<dyn Disk>,
        dir: impl AsRef<Path>,
        settings: LogSettings,
    ) -> Result<(Self, Steps, OpenReport), OpenError> {
        let dir = dir.as_ref();
        settings.check().map_err(OpenError::Settings)?;
        disk.create_dir(dir).map_err(OpenError::io("make", dir))?;
        let guard = take_lock(&*disk, dir, LockKind::Exclusive)?;
        let catalog = Catalog::load(&*disk, dir)?;
        let mut recovered = recover(&*disk, dir, &settings, true)?;
        let catalog = match catalog {
            // Records without a catalog are damage, which `share` reports below.
            None if recovered.ends.len() == 0 => Catalog::make(&*disk, dir, settings.new_id.as_ref())?,
            catalog => catalog.unwrap_or_else(Catalog::missing),
        };
        let next = recovered.next.take().map_or(Next::Wanted, Next::Ready);
        let report = recovered.report.clone();
        let index = recovered.take_active_index();
        let (vouched, rebuilt) = (recovered.vouched, std::mem::take(&mut recovered.rebuilt));
        let shared = Arc::new(share(disk, dir, settings, next, &catalog, recovered)?);
        let active = Arc::clone(&lock(&shared.admission).active);
        let writer = Writer::new(Arc::clone(&shared), active, index, vouched)
            .map_err(OpenError::io("open the active segment in", dir))?;
        shared.start(rebuilt);
        let steps = Steps { writer, allocator: Allocator::new(Arc::clone(&shared)) };
        let log = Self { shared, threads: Mutex::default(), lock: Mutex::new(Some(guard)) };
        Ok((log, steps, report))
    }

    /// Opens the log of a stopped server read-only and changes nothing: a torn tail is ignored but not cut. Appends are
    /// rejected as closed. Several processes may read at once, but none while a server runs.
    pub fn open_read_only(
        dir: impl AsRef<Path>,
        settings: LogSettings,
    ) -> Result<(Self, OpenReport), OpenError> {
        Self::open_read_only_on(Arc::new(RealDisk), dir, settings)
    }

    /// Opens the log like [`Self::open_read_only`], on another disk.
    pub fn open_read_only_on(
        disk: Arc<dyn Disk>,
        dir: impl AsRef<Path>,
        settings: LogSettings,
    ) -> Result<(Self, OpenReport), OpenError> {
        let dir = dir.as_ref();
        let guard = take_lock(&*disk, dir, LockKind::Shared)?;
        let catalog = Catalog::load(&*disk, dir)?.unwrap_or_else(Catalog::missing);
        let recovered = recover(&*disk, dir, &settings, false)?;
        let report = recovered.report.clone();
        let shared = Arc::new(share(disk, dir, settings, Next::Failed, &catalog, recovered)?);
        shared.end(Ended::ReadOnly);
        Ok((Self { shared, threads: Mutex::default(), lock: Mutex::new(Some(guard)) }, report))
    }

    /// Makes everything that was accepted durable, stops the threads, and releases the directory. Appends are rejected
    /// from now on. Blocks for as long as the disk takes.
    pub fn close(&self) {
        let Threads { writer, allocator } = std::mem::take(&mut *lock(&self.threads));
        self.shared.stop_appends();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            self.shared.end(Ended::Failed("the writer of the log panicked".into()));
        }
        self.shared.end(Ended::Closed);
        self.shared.add_chore(|chores| chores.ended = true);
        if let Some(allocator) = allocator
            && allocator.join().is_err()
        {
            tracing::error!("the allocator of the log panicked");
        }
        *lock(&self.lock) = None;
    }

    /// Rejects appends from now on. The writer ends once it has written everything that was accepted.
    pub fn stop_appends(&self) {
        self.shared.stop_appends();
    }

    /// Waits until the log has failed, and returns the reason. A failed log accepts nothing more. The process should
    /// end; the next opening determines what is on the disk. Never returns while the log is healthy, or after it was
    /// closed.
    pub async fn failed(&self) -> Arc<str> {
        let mut progress = self.shared.progress.subscribe();
        let failed = progress.wait_for(|progress| matches!(progress.ended, Some(Ended::Failed(_)))).await;
        let why = failed.ok().and_then(|progress| progress.ended.as_ref().map(Ended::why));
        match why {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    /// Removes segments as far as the settings and the pins of readers allow. `now_ms` is the time in milliseconds
    /// since 1970. Blocks, and is meant to be called periodically.
    ///
    /// Call it only after all readers have called [`crate::Topics::retain_from`]: of a partition that no reader has
    /// named, nothing is kept for readers.
    pub fn retain(&self, now_ms: u64) -> std::io::Result<Removed> {
        if self.shared.ended().is_some() || lock(&self.shared.admission).closed {
            return Ok(Removed::default());
        }
        self.shared.retain(now_ms)
    }

    /// The total size of the segments in use, in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.shared.size().1
    }
}

impl Drop for EmbeddedLog {
    fn drop(&mut self) {
        self.close();
    }
}

fn take_lock(disk: &dyn Disk, dir: &Path, kind: LockKind) -> Result<LockGuard, OpenError> {
    let path = dir.join("LOCK");
    disk.lock(&path, kind).map_err(|error| match error {
        LockError::Held(owner) => OpenError::Locked { dir: dir.to_owned(), owner },
        LockError::Io(error) => OpenError::io("lock", &path)(error),
    })
}

/// Builds the shared state of the log from the result of recovery.
fn share(
    disk: Arc<dyn Disk>,
    dir: &Path,
    settings: LogSettings,
    next: Next,
    catalog: &Catalog,
    recovered: Recovered,
) -> Result<Shared, OpenError> {
    if catalog.partitions_total() > settings.partitions_max() {
        return Err(OpenError::Settings("segment_bytes is too small for so many partitions".to_owned()));
    }
    for (topic_partition, _) in recovered.ends.iter() {
        if topic_partition.partition.0 >= catalog.partitions(topic_partition.topic) {
            let why = format!("the log has records of {topic_partition}, which it does not list");
            return Err(OpenError::Damaged { file: dir.join("topics.json"), position: 0, why });
        }
    }
    let Some(active) = recovered.segments.last() else {
        return Err(OpenError::Settings(format!("there is no log in {}", dir.display())));
    };
    let admission = Admission::new(Arc::clone(active), next);
    let shared = Shared::new(disk, dir.to_owned(), catalog.id().clone(), settings, admission);
    recovered.segments.iter().for_each(|segment| shared.add_segment(segment));
    for topic in Topic::ALL {
        let partitions = catalog.partitions(topic);
        if partitions > 0 {
            shared.add_topic(topic, partitions, |topic_partition| {
                (
                    recovered.starts.get(topic_partition)..recovered.ends.get(topic_partition),
                    PartitionIndex::default(),
                )
            });
        }
    }
    for entry in &recovered.entries {
        let partition = shared.partition(entry.topic_partition).expect("all recovered partitions are listed");
        partition.with_index(|index| index.push(entry.offset, entry.lsn));
    }
    Ok(shared)
}

/// The bounds and the index of an empty partition of a new topic.
pub(super) fn empty(_: TopicPartition) -> (std::ops::Range<u64>, PartitionIndex) {
    (0..0, PartitionIndex::default())
}
