//! The disk as one generation of processes sees it: the log's [`Disk`] and [`DiskFile`].

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use orderflow_world::disk::{Access, Disk, DiskFile, LockError, LockGuard, LockKind};

use super::{
    names::FileId,
    sim::Shared,
    state::{Generation, State},
};

/// The disk for the processes of one generation. After a crash, all its calls fail without effect.
#[derive(Clone, Debug)]
pub struct Mount {
    pub(super) shared: Shared,
    pub(super) generation: Generation,
}

/// An open file. It stays usable after its name is removed, but not after its generation ends.
#[derive(Debug)]
pub struct SimFile {
    mount: Mount,
    file: FileId,
}

/// Holds a lock until it is dropped.
#[derive(Debug)]
struct Guard {
    mount: Mount,
    path: PathBuf,
    kind: LockKind,
}

impl Mount {
    /// Whether its generation still runs and has power.
    pub fn is_alive(&self) -> bool {
        self.with(|_| Ok(())).is_ok()
    }

    /// The number of its generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Opens a file as a [`SimFile`], which can do more than a [`DiskFile`].
    pub fn open_file(&self, path: &Path, access: Access) -> io::Result<SimFile> {
        let file = self.with(|state| state.open(path, access))?;
        Ok(SimFile { mount: self.clone(), file })
    }

    /// Whether a file with this name exists.
    pub fn exists(&self, path: &Path) -> io::Result<bool> {
        self.with(|state| state.exists(path))
    }

    fn with<T>(&self, call: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.shared.lock();
        state.check(self.generation)?;
        call(&mut state)
    }
}

impl Disk for Mount {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.with(|state| state.create_dir(dir))
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(self.open_file(path, access)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with(|state| state.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.with(|state| state.remove(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.with(|state| state.list(dir))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.with(|state| state.sync_dir(dir))
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<LockGuard, LockError> {
        let mut state = self.shared.lock();
        state.check(self.generation).map_err(LockError::Io)?;
        state.lock(path, kind)?;
        Ok(Box::new(Guard { mount: self.clone(), path: path.to_owned(), kind }))
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl SimFile {
    /// Like [`DiskFile::write_at`], for bytes that differ from run to run: the digest leaves them out.
    pub fn write_unnoted(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.mount.with(|state| state.write(self.file, bytes, position, &[]))
    }

    /// Sets the length; added bytes are zero. The change is not durable before the next sync.
    pub fn set_len(&self, length: u64) -> io::Result<()> {
        self.mount.with(|state| state.resize(self.file, length))
    }
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.mount.with(|state| Ok(state.content(self.file).bytes().len() as u64))
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.mount.with(|state| state.read(self.file, buffer, position))
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.mount.with(|state| state.write(self.file, bytes, position, bytes))
    }

    fn sync(&self) -> io::Result<()> {
        self.mount.with(|state| state.sync(self.file))
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.mount.with(|state| state.allocate(self.file, length))
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        let mut state = self.mount.shared.lock();
        if state.generation == self.mount.generation {
            state.close(self.file);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut state = self.mount.shared.lock();
        if state.generation == self.mount.generation {
            state.unlock(&self.path, self.kind);
        }
    }
}
