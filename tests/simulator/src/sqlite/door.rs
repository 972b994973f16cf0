//! Access to the files of all simulated disks by SQLite's names, for what the sink does to them without SQLite.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use orderflow_world::disk::{Access, Disk, DiskFile, LockError, LockGuard, LockKind};

use super::registry::Registration;
use crate::disk::{Mount, SimFile};

/// All registered disks. Each call belongs to the current generation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door;

/// A file whose bytes differ from run to run, because SQLite writes random salts.
#[derive(Debug)]
struct Unnoted(SimFile);

fn find(name: &Path) -> io::Result<(Mount, PathBuf)> {
    let (registration, path) = Registration::find(name).ok_or(io::ErrorKind::NotFound)?;
    Ok((registration.disk.mount(), path))
}

impl Disk for Door {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let (mount, dir) = find(dir)?;
        mount.create_dir(&dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let (mount, path) = find(path)?;
        Ok(Arc::new(Unnoted(mount.open_file(&path, access)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let ((mount, from), (_, to)) = (find(from)?, find(to)?);
        mount.rename(&from, &to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mount, path) = find(path)?;
        mount.remove(&path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let (mount, dir) = find(dir)?;
        mount.list(&dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (mount, dir) = find(dir)?;
        mount.sync_dir(&dir)
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<LockGuard, LockError> {
        let (mount, path) = find(path).map_err(LockError::Io)?;
        mount.lock(&path, kind)
    }

    fn blocks(&self) -> bool {
        false
    }
}

impl DiskFile for Unnoted {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.0.read_at(buffer, position)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.0.write_unnoted(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        self.0.allocate(length)
    }
}
