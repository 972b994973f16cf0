//! The registry that maps SQLite's file names to simulated disks, and knows the open files and what the connections
//! to a file share.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
};

use super::locks::{FileLocks, SharedMemory};
use crate::disk::SimDisk;

static REGISTRY: Mutex<Registry> = Mutex::new(Registry { registered: BTreeMap::new(), made: 0 });

struct Registry {
    registered: BTreeMap<u64, Weak<Registration>>,
    made: u64,
}

/// A disk that SQLite can access while this value exists.
#[derive(Debug)]
pub(super) struct Registration {
    pub disk: SimDisk,
    id: u64,
    open: Mutex<Open>,
    closed: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    files: usize,
    nodes: BTreeMap<(u64, PathBuf), Weak<Mutex<Node>>>,
}

/// What the connections of one generation to one file share.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub locks: FileLocks,
    pub memory: SharedMemory,
}

pub(super) type SharedNode = Arc<Mutex<Node>>;

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registration {
    pub fn new(disk: &SimDisk) -> Arc<Self> {
        let mut registry = lock(&REGISTRY);
        let id = registry.made;
        registry.made += 1;
        let registration =
            Arc::new(Self { disk: disk.clone(), id, open: Mutex::default(), closed: Condvar::new() });
        registry.registered.insert(id, Arc::downgrade(&registration));
        registration
    }

    /// SQLite's name of a file on this disk.
    pub fn name(&self, path: &Path) -> PathBuf {
        let path = path.strip_prefix("/").unwrap_or(path);
        Path::new(&format!("/sim-{}", self.id)).join(path)
    }

    /// The disk and the path on it for a name of SQLite.
    pub fn find(name: &Path) -> Option<(Arc<Self>, PathBuf)> {
        let mut parts = name.strip_prefix("/").ok()?.components();
        let id = parts.next()?.as_os_str().to_str()?.strip_prefix("sim-")?.parse().ok()?;
        let registration = lock(&REGISTRY).registered.get(&id)?.upgrade()?;
        Some((registration, Path::new("/").join(parts.as_path())))
    }

    /// Registers an open file.
    pub fn opened(&self, generation: u64, path: &Path) -> SharedNode {
        let mut open = lock(&self.open);
        open.files += 1;
        open.nodes.retain(|_, node| node.strong_count() > 0);
        let node = open.nodes.entry((generation, path.to_owned())).or_default();
        node.upgrade().unwrap_or_else(|| {
            let new = SharedNode::default();
            *node = Arc::downgrade(&new);
            new
        })
    }

    /// Registers that an open file was closed.
    pub fn closed(&self) {
        lock(&self.open).files -= 1;
        self.closed.notify_all();
    }

    /// The number of files that SQLite has open.
    pub fn files_open(&self) -> usize {
        lock(&self.open).files
    }

    /// Waits until SQLite has no file open.
    pub fn wait_until_closed(&self) {
        let mut open = lock(&self.open);
        while open.files > 0 {
            open = self.closed.wait(open).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        lock(&REGISTRY).registered.remove(&self.id);
    }
}
