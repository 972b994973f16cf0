//! What the tests share: small logs, appends and reads in one line, and disks that fail or lose power on request.

use std::{
    any::Any,
    collections::BTreeMap,
    future::Future,
    io,
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use orderflow_schemas::{Topic, TopicPartition};
use orderflow_topics::{
    AppendError, Appended, Batch, EmbeddedLog, Topics, Visibility, conformance,
    embedded::{LogSettings, StepOutcome, Steps},
};
use orderflow_world::disk::{Access, Disk, DiskFile, LockError, LockGuard, LockKind, RealDisk};

pub const TOPIC: Topic = Topic::OrdersCommands;
pub const FIRST: TopicPartition = TopicPartition::new(TOPIC, 0);
pub const SECOND: TopicPartition = TopicPartition::new(TOPIC, 1);

/// Settings with segments of 4 KiB, a dense index and no cache.
pub fn small() -> LogSettings {
    LogSettings { segment_bytes: 4096, cache_bytes_max: 0, index_stride_bytes: 256, ..LogSettings::default() }
}

pub async fn open(dir: &Path, settings: LogSettings) -> EmbeddedLog {
    let (log, _) = EmbeddedLog::open(dir, settings).unwrap();
    log.create(TOPIC, 2).await.unwrap();
    log
}

pub fn records(sizes: impl IntoIterator<Item = usize>) -> Vec<Bytes> {
    sizes
        .into_iter()
        .enumerate()
        .map(|(n, size)| Bytes::from(vec![u8::try_from(n % 250).unwrap() + 1; size]))
        .collect()
}

pub async fn try_append(
    log: &EmbeddedLog,
    topic_partition: TopicPartition,
    records: Vec<Bytes>,
) -> Result<Appended, AppendError> {
    log.append(vec![Batch { topic_partition, records }]).await
}

/// Appends records and waits until they are durable.
pub async fn append(log: &EmbeddedLog, topic_partition: TopicPartition, records: Vec<Bytes>) -> Appended {
    let appended = try_append(log, topic_partition, records).await.unwrap();
    log.durable(appended.receipt).await.unwrap();
    appended
}

/// `count` durable appends of one record of `size` bytes each. Returns the records.
pub async fn fill(
    log: &EmbeddedLog,
    topic_partition: TopicPartition,
    count: usize,
    size: usize,
) -> Vec<Bytes> {
    let all = records(std::iter::repeat_n(size, count));
    for record in &all {
        append(log, topic_partition, vec![record.clone()]).await;
    }
    all
}

pub async fn read_all(log: &EmbeddedLog, topic_partition: TopicPartition) -> Vec<Bytes> {
    conformance::read_all(log, topic_partition, Visibility::Durable).await
}

/// Runs the steps until nothing is left to do.
pub fn run_steps(steps: &mut Steps) {
    while steps.allocator.step() == StepOutcome::Work || steps.writer.step(1) == StepOutcome::Work {}
}

/// Polls a future once; returns its output if it is ready, and drops it otherwise.
pub fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// The files of a directory, with their bytes.
pub fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap()))
        .collect()
}

/// Creates a directory with these files.
pub fn directory_of(files: &BTreeMap<String, Vec<u8>>) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// The real disk, which can be told to have no space or to fail to sync.
#[derive(Clone, Debug, Default)]
pub struct FailingDisk {
    pub no_room: Arc<AtomicBool>,
    pub sync_fails: Arc<AtomicBool>,
}

#[derive(Debug)]
struct FailingFile {
    disk: FailingDisk,
    file: Arc<dyn DiskFile>,
}

impl Disk for FailingDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(FailingFile { disk: self.clone(), file: RealDisk.open(path, access)? }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<LockGuard, LockError> {
        RealDisk.lock(path, kind)
    }
}

impl DiskFile for FailingFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.file.write_at(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.sync_fails.load(SeqCst) {
            return Err(io::Error::other("the disk is broken"));
        }
        self.file.sync()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        if self.disk.no_room.load(SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.allocate(length)
    }
}

/// A disk in memory that can lose power: each sector and name that was not synced is kept or lost at random.
#[derive(Clone, Debug, Default)]
pub struct VolatileDisk(Arc<Mutex<BTreeMap<PathBuf, Arc<VolatileFile>>>>);

#[derive(Debug, Default)]
struct VolatileFile {
    state: Mutex<FileState>,
}

#[derive(Debug, Default)]
struct FileState {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    named: bool,
}

const SECTOR: usize = 64;

impl VolatileDisk {
    /// Loses power. `keep` decides for each sector and name that is not durable whether it survives.
    pub fn lose_power(&self, mut keep: impl FnMut() -> bool) {
        self.0.lock().unwrap().retain(|_, file| {
            let state = &mut *file.state.lock().unwrap();
            if !state.named && !keep() {
                return false;
            }
            state.named = true;
            if state.bytes.len() != state.synced.len() && !keep() {
                state.bytes.truncate(state.synced.len());
            }
            state.synced.resize(state.bytes.len(), 0);
            for (new, old) in state.bytes.chunks_mut(SECTOR).zip(state.synced.chunks_mut(SECTOR)) {
                if new != old && !keep() {
                    new.copy_from_slice(old);
                }
            }
            state.synced.clone_from(&state.bytes);
            true
        });
    }
}

impl Disk for VolatileDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut files = self.0.lock().unwrap();
        if access == Access::Create {
            let file = files.entry(path.to_owned()).or_default();
            file.state.lock().unwrap().bytes.clear();
        }
        let file = files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::clone(file) as Arc<dyn DiskFile>)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut files = self.0.lock().unwrap();
        let file = files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().remove(path).map(drop).ok_or(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _dir: &Path) -> io::Result<Vec<String>> {
        let files = self.0.lock().unwrap();
        Ok(files.keys().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect())
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        self.0.lock().unwrap().values().for_each(|file| file.state.lock().unwrap().named = true);
        Ok(())
    }

    fn lock(&self, _path: &Path, _kind: LockKind) -> Result<LockGuard, LockError> {
        Ok(Box::new(()) as Box<dyn Any + Send + Sync>)
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl DiskFile for VolatileFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().unwrap().bytes.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        let position = usize::try_from(position).unwrap();
        let state = self.state.lock().unwrap();
        let bytes = state.bytes.get(position..position + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(bytes);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        let position = usize::try_from(position).unwrap();
        let state = &mut *self.state.lock().unwrap();
        if state.bytes.len() < position + bytes.len() {
            state.bytes.resize(position + bytes.len(), 0);
        }
        state.bytes[position..position + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let state = &mut *self.state.lock().unwrap();
        state.synced.clone_from(&state.bytes);
        Ok(())
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.state.lock().unwrap().bytes.resize(usize::try_from(length).unwrap(), 0);
        self.sync()
    }
}
