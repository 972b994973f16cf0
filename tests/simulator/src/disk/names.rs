//! The names of files and folders: as processes see them, as they are on the platter, and the changes in between.
//! Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
};

use fastrand::Rng;

use super::content::Luck;

/// The number of a file, never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileId(pub u64);

/// A change of names that is not durable.
#[derive(Clone, Debug)]
enum Change {
    Folder { path: PathBuf },
    Link { path: PathBuf, file: FileId },
    Rename { from: PathBuf, to: PathBuf, file: FileId },
    Unlink { path: PathBuf, file: FileId },
}

/// The files and folders by their names.
#[derive(Clone, Debug, Default)]
struct Tree {
    files: BTreeMap<PathBuf, FileId>,
    folders: BTreeSet<PathBuf>,
}

/// All names: live, durable, and the pending changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    live: Tree,
    durable: Tree,
    pending: Vec<Change>,
}

impl Names {
    pub fn file(&self, path: &Path) -> Option<FileId> {
        self.live.files.get(path).copied()
    }

    pub fn durable_file(&self, path: &Path) -> Option<FileId> {
        self.durable.files.get(path).copied()
    }

    pub fn files(&self) -> impl Iterator<Item = (&Path, FileId)> {
        self.live.files.iter().map(|(path, file)| (path.as_path(), *file))
    }

    pub fn has_folder(&self, path: &Path) -> bool {
        is_root(path) || self.live.folders.contains(path)
    }

    /// The names in a folder.
    pub fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        if !self.has_folder(folder) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let all = self.live.files.keys().chain(&self.live.folders);
        let inside = all.filter(|path| path.parent() == Some(folder)).filter_map(|path| path.file_name());
        Ok(inside.map(|name| name.to_string_lossy().into_owned()).collect())
    }

    /// Creates a folder and its parents.
    pub fn make_folder(&mut self, path: &Path) {
        let missing: Vec<_> = path.ancestors().filter(|path| !self.has_folder(path)).collect();
        for path in missing.into_iter().rev() {
            self.change(Change::Folder { path: path.to_owned() });
        }
    }

    pub fn link(&mut self, path: &Path, file: FileId) {
        self.change(Change::Link { path: path.to_owned(), file });
    }

    pub fn rename(&mut self, from: &Path, to: &Path, file: FileId) {
        self.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), file });
    }

    pub fn unlink(&mut self, path: &Path, file: FileId) {
        self.change(Change::Unlink { path: path.to_owned(), file });
    }

    /// Makes the names in a folder durable.
    pub fn sync(&mut self, folder: &Path) {
        self.settle(|change| change.is_in(folder));
    }

    /// Makes new folders durable.
    pub fn sync_folders(&mut self) {
        self.settle(|change| matches!(change, Change::Folder { .. }));
    }

    /// Cuts the power: each change is kept or lost.
    pub fn lose_power(&mut self, luck: Luck, rng: &mut Rng) {
        self.settle(|_| luck.keeps(rng));
        self.pending.clear();
        self.durable.forget_orphans();
        self.live.clone_from(&self.durable);
    }

    /// Whether a name leads to this file, or may after a power cut.
    pub fn may_reach(&self, file: FileId) -> bool {
        let pending = || self.pending.iter().any(|change| change.file() == Some(file));
        self.live.files.values().chain(self.durable.files.values()).any(|other| *other == file) || pending()
    }

    fn change(&mut self, change: Change) {
        self.live.apply(&change);
        self.pending.push(change);
    }

    /// Makes the changes that `durable` selects durable, in their order. The others stay pending.
    fn settle(&mut self, mut durable: impl FnMut(&Change) -> bool) {
        let tree = &mut self.durable;
        self.pending.retain(|change| {
            let settled = durable(change);
            if settled {
                tree.apply(change);
            }
            !settled
        });
    }
}

impl Tree {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Folder { path } => {
                self.folders.insert(path.clone());
            }
            Change::Link { path, file } => {
                self.files.insert(path.clone(), *file);
            }
            Change::Rename { from, to, file } => {
                self.remove(from, *file);
                self.files.insert(to.clone(), *file);
            }
            Change::Unlink { path, file } => self.remove(path, *file),
        }
    }

    /// Removes a name, unless it now belongs to another file.
    fn remove(&mut self, path: &Path, file: FileId) {
        if self.files.get(path) == Some(&file) {
            self.files.remove(path);
        }
    }

    /// Removes files and folders whose parent folder does not exist.
    fn forget_orphans(&mut self) {
        let folders = &self.folders;
        let there =
            |path: &Path| path.ancestors().skip(1).all(|path| is_root(path) || folders.contains(path));
        self.files.retain(|path, _| there(path));
        let lost: Vec<_> = folders.iter().filter(|path| !there(path)).cloned().collect();
        for path in lost {
            self.folders.remove(&path);
        }
    }
}

impl Change {
    fn is_in(&self, folder: &Path) -> bool {
        let inside = |path: &Path| path.parent() == Some(folder);
        match self {
            Self::Folder { path } | Self::Link { path, .. } | Self::Unlink { path, .. } => inside(path),
            Self::Rename { from, to, .. } => inside(from) || inside(to),
        }
    }

    fn file(&self) -> Option<FileId> {
        match self {
            Self::Folder { .. } => None,
            Self::Link { file, .. } | Self::Rename { file, .. } | Self::Unlink { file, .. } => Some(*file),
        }
    }
}

fn is_root(path: &Path) -> bool {
    path.parent().is_none()
}
