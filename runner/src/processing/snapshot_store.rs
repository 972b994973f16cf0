//! The store of snapshots: whole objects under names, as a folder or an object store has them.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use orderflow_world::disk::{Access, Disk, RealDisk, read_file};

/// Keeps objects under names such as `orders.commands/3/00000000000000000042.snap`.
///
/// *Atomicity*: an object exists whole or not at all, and replaces one of the same name.
/// *Durability*: once `write` has returned, the object survives a power cut.
/// *Concurrency*: several processes may use one store; two that write the same name write the same bytes. All calls may
/// block.
pub trait SnapshotStore: fmt::Debug + Send + Sync + 'static {
    /// The names of the objects under `folder`, without the folder and its slash, in any order. Empty if there are
    /// none.
    fn list(&self, folder: &str) -> io::Result<Vec<String>>;

    /// Reads all bytes of an object; fails if it does not exist.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// Reads the first `length` bytes of an object; fails if it has fewer.
    fn read_start(&self, name: &str, length: usize) -> io::Result<Vec<u8>>;

    /// Stores an object. It is durable when the call returns.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()>;

    /// Removes an object. Succeeds if it does not exist.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Removes the remains of objects under `folder` that a process was storing when it ended.
    fn remove_unfinished(&self, folder: &str) -> io::Result<()>;

    /// The location of an object, for messages to people.
    fn location(&self, name: &str) -> String;

    /// Whether calls may take long. Async code then makes them on a blocking thread.
    fn blocks(&self) -> bool {
        true
    }
}

/// Files under one folder of a disk. A file is written under a temporary name, synced and renamed; then its folder is
/// synced.
#[derive(Clone, Debug)]
pub struct LocalSnapshots {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
}

impl LocalSnapshots {
    /// The snapshots in the folder `snapshots` of a data directory.
    pub fn new(data: &Path) -> Arc<Self> {
        Self::on(Arc::new(RealDisk), data)
    }

    /// The same as [`Self::new`], on another disk.
    pub fn on(disk: Arc<dyn Disk>, data: &Path) -> Arc<Self> {
        Arc::new(Self { disk, folder: data.join("snapshots") })
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        match self.disk.list(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            names => names,
        }
    }
}

impl SnapshotStore for LocalSnapshots {
    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        self.names(&self.folder.join(folder))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read_file(&*self.disk, &self.folder.join(name))
    }

    fn read_start(&self, name: &str, length: usize) -> io::Result<Vec<u8>> {
        self.disk.open(&self.folder.join(name), Access::Read)?.read_vec_at(length, 0)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.folder.join(name);
        let folder = path.parent().unwrap_or(&self.folder);
        let beside = path.with_extension("tmp");
        self.disk.create_dir(folder)?;
        let file = self.disk.open(&beside, Access::Create)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        self.disk.rename(&beside, &path)?;
        self.disk.sync_dir(folder)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match self.disk.remove(&self.folder.join(name)) {
            // Another process of this partition has already removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    fn remove_unfinished(&self, folder: &str) -> io::Result<()> {
        let folder_path = self.folder.join(folder);
        for name in self.names(&folder_path)?.into_iter().filter(|name| name.ends_with(".tmp")) {
            self.remove(&format!("{folder}/{name}"))?;
        }
        Ok(())
    }

    fn location(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn blocks(&self) -> bool {
        self.disk.blocks()
    }
}
