//! An open file of SQLite, and SQLite's operations by name, on the simulated disk and with SQLite's result codes.
//!
//! As in SQLite's own VFS for Unix, the first sync of a new journal or WAL also syncs its folder.

use std::{
    ffi::c_int,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use libsqlite3_sys as ffi;
use orderflow_world::disk::{Access, Disk as _, DiskFile as _};

use super::{
    locks::SharedMemoryUse,
    registry::{Node, Registration, SharedNode, lock},
};
use crate::disk::{Mount, SimFile};

/// A file that SQLite has opened.
#[derive(Debug)]
pub(super) struct OpenFile {
    registration: Arc<Registration>,
    mount: Mount,
    file: SimFile,
    path: PathBuf,
    node: SharedNode,
    lock: c_int,
    memory: SharedMemoryUse,
    /// Whether the file is a new journal, whose first sync must make its name durable.
    syncs_folder: bool,
    deleted_on_close: bool,
}

/// SQLite's result code for an error of the disk.
fn code(error: &io::Error, otherwise: c_int) -> c_int {
    if error.kind() == io::ErrorKind::StorageFull { ffi::SQLITE_FULL } else { otherwise }
}

fn result(done: io::Result<()>, otherwise: c_int) -> Result<(), c_int> {
    done.map_err(|error| code(&error, otherwise))
}

impl OpenFile {
    pub fn open(name: &Path, flags: c_int) -> Result<Self, c_int> {
        let (registration, path) = Registration::find(name).ok_or(ffi::SQLITE_CANTOPEN)?;
        let mount = registration.disk.mount();
        let cannot = |_| ffi::SQLITE_CANTOPEN;
        let exists = mount.exists(&path).map_err(cannot)?;
        let access = match exists {
            true => Access::Write,
            false if flags & ffi::SQLITE_OPEN_CREATE != 0 => Access::Create,
            false => return Err(ffi::SQLITE_CANTOPEN),
        };
        let file = mount.open_file(&path, access).map_err(cannot)?;
        let journal = ffi::SQLITE_OPEN_MAIN_JOURNAL | ffi::SQLITE_OPEN_SUPER_JOURNAL | ffi::SQLITE_OPEN_WAL;
        Ok(Self {
            node: registration.opened(mount.generation(), &path),
            syncs_folder: !exists && flags & journal != 0,
            deleted_on_close: flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0,
            lock: ffi::SQLITE_LOCK_NONE,
            memory: SharedMemoryUse::default(),
            registration,
            mount,
            file,
            path,
        })
    }

    /// Reads bytes; those beyond the end are zero.
    pub fn read(&self, buffer: &mut [u8], position: u64) -> Result<(), c_int> {
        let failed = |_| ffi::SQLITE_IOERR_READ;
        let length = self.file.len().map_err(failed)?;
        let there = usize::try_from(length.saturating_sub(position))
            .map_or(buffer.len(), |there| there.min(buffer.len()));
        let (there, beyond) = buffer.split_at_mut(there);
        beyond.fill(0);
        if !there.is_empty() {
            self.file.read_at(there, position).map_err(failed)?;
        }
        if beyond.is_empty() { Ok(()) } else { Err(ffi::SQLITE_IOERR_SHORT_READ) }
    }

    pub fn write(&self, bytes: &[u8], position: u64) -> Result<(), c_int> {
        result(self.file.write_unnoted(bytes, position), ffi::SQLITE_IOERR_WRITE)
    }

    pub fn truncate(&self, length: u64) -> Result<(), c_int> {
        result(self.file.set_len(length), ffi::SQLITE_IOERR_TRUNCATE)
    }

    pub fn sync(&mut self) -> Result<(), c_int> {
        result(self.file.sync(), ffi::SQLITE_IOERR_FSYNC)?;
        if self.syncs_folder {
            sync_folder(&self.mount, &self.path)?;
            self.syncs_folder = false;
        }
        Ok(())
    }

    pub fn size(&self) -> Result<u64, c_int> {
        self.file.len().map_err(|_| ffi::SQLITE_IOERR_FSTAT)
    }

    /// Returns an error for earlier generations. A connection that closes late must not assume that it is alone and
    /// may clean up.
    fn node(&self) -> Result<&Mutex<Node>, c_int> {
        if self.mount.is_alive() { Ok(&self.node) } else { Err(ffi::SQLITE_IOERR_LOCK) }
    }

    pub fn lock(&mut self, level: c_int) -> Result<(), c_int> {
        self.node()?;
        let taken = lock(&self.node).locks.raise(&mut self.lock, level);
        if taken { Ok(()) } else { Err(ffi::SQLITE_BUSY) }
    }

    pub fn unlock(&mut self, level: c_int) {
        lock(&self.node).locks.lower(&mut self.lock, level);
    }

    pub fn is_reserved(&self) -> Result<bool, c_int> {
        Ok(lock(self.node()?).locks.is_reserved())
    }

    pub fn map(&mut self, region: usize, bytes: usize, extend: bool) -> Result<*mut std::ffi::c_void, c_int> {
        self.node()?;
        Ok(lock(&self.node).memory.region(&mut self.memory, region, bytes, extend))
    }

    pub fn lock_memory(&mut self, slots: std::ops::Range<usize>, flags: c_int) -> Result<(), c_int> {
        let mut node = lock(&self.node);
        if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
            node.memory.unlock(&mut self.memory, slots);
            return Ok(());
        }
        let exclusive = flags & ffi::SQLITE_SHM_EXCLUSIVE != 0;
        if !self.mount.is_alive() {
            return Err(ffi::SQLITE_IOERR_SHMLOCK);
        }
        if node.memory.lock(&mut self.memory, slots, exclusive) { Ok(()) } else { Err(ffi::SQLITE_BUSY) }
    }

    pub fn unmap(&mut self) {
        lock(&self.node).memory.leave(&mut self.memory);
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.unmap();
        self.unlock(ffi::SQLITE_LOCK_NONE);
        if self.deleted_on_close {
            // A failed removal does not matter: no code uses the name of this file again.
            let _ = self.mount.remove(&self.path);
        }
        self.registration.closed();
    }
}

/// Removes a file, durably if asked.
pub(super) fn delete(name: &Path, durably: bool) -> Result<(), c_int> {
    let (registration, path) = Registration::find(name).ok_or(ffi::SQLITE_IOERR_DELETE)?;
    let mount = registration.disk.mount();
    mount.remove(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ffi::SQLITE_IOERR_DELETE_NOENT,
        _ => ffi::SQLITE_IOERR_DELETE,
    })?;
    if durably { sync_folder(&mount, &path) } else { Ok(()) }
}

/// Whether a file exists. As in SQLite's own VFS, an empty file does not exist unless it is a database.
pub(super) fn exists(name: &Path) -> Result<bool, c_int> {
    let (registration, path) = Registration::find(name).ok_or(ffi::SQLITE_IOERR_ACCESS)?;
    let mount = registration.disk.mount();
    mount.exists(&path).map_err(|_| ffi::SQLITE_IOERR_ACCESS)
}

fn sync_folder(mount: &Mount, path: &Path) -> Result<(), c_int> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    result(mount.sync_dir(folder), ffi::SQLITE_IOERR_DIR_FSYNC)
}
