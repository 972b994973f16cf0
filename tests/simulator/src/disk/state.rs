//! The whole state of a simulated disk, and the effect of each call about names. The calls about bytes are in
//! [`super::bytes`]. The caller holds the lock.

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use fastrand::Rng;
use orderflow_world::disk::{Access, LockError, LockKind};

use super::{
    content::{Content, Luck},
    faults::DiskFaults,
    history::{History, Kind},
    names::{FileId, Names},
};

/// A number that increases at each power cut and each end of a process.
pub(super) type Generation = u64;

/// The state of the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Power {
    /// On, until it is cut.
    On,
    /// On for this many further changes.
    OnFor(u64),
    /// Off: every call fails.
    Off,
}

/// Whether a change succeeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    Whole,
    /// The change fails, or the power fails during it. Any part of it may be done.
    Part,
}

/// The holders of a lock.
#[derive(Clone, Copy, Debug, Default)]
struct Holders {
    exclusive: bool,
    shared: usize,
}

#[derive(Clone, Debug)]
pub(super) struct State {
    pub rng: Rng,
    pub faults: DiskFaults,
    pub names: Names,
    pub history: History,
    pub generation: Generation,
    pub power: Power,
    /// The probability that a power cut flips a bit in a sector with bytes that were not durable.
    pub unsynced_flips: f64,
    pub files: BTreeMap<FileId, Arc<Content>>,
    files_made: u64,
    opens: BTreeMap<FileId, usize>,
    locks: BTreeMap<PathBuf, Holders>,
}

impl State {
    pub fn new(seed: u64) -> Self {
        Self {
            rng: Rng::with_seed(seed),
            faults: DiskFaults::default(),
            names: Names::default(),
            history: History::default(),
            generation: 0,
            power: Power::On,
            unsynced_flips: 0.0,
            files: BTreeMap::new(),
            files_made: 0,
            opens: BTreeMap::new(),
            locks: BTreeMap::new(),
        }
    }

    /// Returns an error for earlier generations, and for all processes while the power is off.
    pub fn check(&self, generation: Generation) -> io::Result<()> {
        if generation != self.generation {
            return Err(io::Error::other("this process has ended"));
        }
        if self.power == Power::Off {
            return Err(io::Error::other("the power is gone"));
        }
        Ok(())
    }

    pub fn content(&self, file: FileId) -> &Content {
        self.files.get(&file).expect("a file that is open or has a name is kept")
    }

    pub(super) fn content_mut(&mut self, file: FileId) -> &mut Content {
        Arc::make_mut(self.files.get_mut(&file).expect("a file that is open or has a name is kept"))
    }

    /// Begins a change: decides whether it succeeds, and counts it.
    pub(super) fn change(
        &mut self,
        kind: Kind,
        fault: f64,
        what: fmt::Arguments<'_>,
        bytes: &[u8],
    ) -> Course {
        self.history.note(kind, what, bytes);
        match &mut self.power {
            Power::OnFor(0) => {
                self.power = Power::Off;
                return Course::Part;
            }
            Power::OnFor(left) => *left -= 1,
            Power::On | Power::Off => {}
        }
        if self.happens(fault) { Course::Part } else { Course::Whole }
    }

    pub(super) fn happens(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.rng.f64() < probability
    }

    /// Ends a change, with an error if it failed.
    pub(super) fn ended(&self, course: Course) -> io::Result<()> {
        match course {
            Course::Whole => Ok(()),
            Course::Part => Err(self.failure()),
        }
    }

    pub(super) fn failure(&self) -> io::Error {
        io::Error::other(if self.power == Power::Off { "the power is gone" } else { "the disk failed" })
    }

    /// Counts a read of names, which may fail.
    fn look(&mut self, what: fmt::Arguments<'_>) -> io::Result<()> {
        self.history.note(Kind::Name, what, &[]);
        if self.happens(self.faults.name_error) {
            return Err(self.failure());
        }
        Ok(())
    }

    /// Changes names. The call may fail before or after the change.
    fn rename_with(&mut self, what: fmt::Arguments<'_>, change: impl FnOnce(&mut Names)) -> io::Result<()> {
        let course = self.change(Kind::Name, self.faults.name_error, what, &[]);
        if course == Course::Whole || self.rng.bool() {
            change(&mut self.names);
        }
        self.ended(course)
    }

    pub fn create_dir(&mut self, path: &Path) -> io::Result<()> {
        if self.names.has_folder(path) {
            return self.look(format_args!("find folder {}", path.display()));
        }
        self.rename_with(format_args!("make folder {}", path.display()), |names| {
            names.make_folder(path);
            names.sync_folders();
        })
    }

    pub fn open(&mut self, path: &Path, access: Access) -> io::Result<FileId> {
        let found = self.names.file(path);
        let file = match (found, access) {
            (Some(file), Access::Create) => {
                let what = format_args!("empty {}", path.display());
                let course = self.change(Kind::Name, self.faults.name_error, what, &[]);
                if course == Course::Whole || self.rng.bool() {
                    self.content_mut(file).resize(0);
                }
                self.ended(course)?;
                file
            }
            (None, Access::Create) => self.make(path)?,
            (Some(file), _) => {
                self.look(format_args!("open {}", path.display()))?;
                file
            }
            (None, _) => {
                self.look(format_args!("miss {}", path.display()))?;
                return Err(io::ErrorKind::NotFound.into());
            }
        };
        *self.opens.entry(file).or_default() += 1;
        Ok(file)
    }

    fn make(&mut self, path: &Path) -> io::Result<FileId> {
        if !path.parent().is_some_and(|folder| self.names.has_folder(folder)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = FileId(self.files_made);
        self.files_made += 1;
        self.files.insert(file, Arc::default());
        self.rename_with(format_args!("make {}", path.display()), |names| names.link(path, file))?;
        Ok(file)
    }

    /// Closes a handle. The file is removed if this was its last handle and it has no name.
    pub fn close(&mut self, file: FileId) {
        if let Some(count) = self.opens.get_mut(&file) {
            *count -= 1;
            if *count == 0 {
                self.opens.remove(&file);
            }
        }
        self.forget_unreachable();
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.names.file(from).ok_or(io::ErrorKind::NotFound)?;
        let what = format_args!("rename {} to {}", from.display(), to.display());
        self.rename_with(what, |names| names.rename(from, to, file))
    }

    pub fn remove(&mut self, path: &Path) -> io::Result<()> {
        let file = self.names.file(path).ok_or(io::ErrorKind::NotFound)?;
        self.rename_with(format_args!("remove {}", path.display()), |names| names.unlink(path, file))
    }

    pub fn list(&mut self, folder: &Path) -> io::Result<Vec<String>> {
        self.look(format_args!("list {}", folder.display()))?;
        self.names.list(folder)
    }

    pub fn exists(&mut self, path: &Path) -> io::Result<bool> {
        self.look(format_args!("find {}", path.display()))?;
        Ok(self.names.file(path).is_some())
    }

    pub fn sync_dir(&mut self, folder: &Path) -> io::Result<()> {
        let what = format_args!("sync folder {}", folder.display());
        let course = self.change(Kind::Sync, self.faults.name_error, what, &[]);
        let done = course == Course::Whole || self.rng.bool();
        if done && !self.faults.syncs_lie {
            self.names.sync(folder);
            self.forget_unreachable();
        }
        self.ended(course)
    }

    pub fn lock(&mut self, path: &Path, kind: LockKind) -> Result<(), LockError> {
        let holders = self.locks.get(path).copied().unwrap_or_default();
        if holders.exclusive || (kind == LockKind::Exclusive && holders.shared > 0) {
            return Err(LockError::Held("of the simulation".to_owned()));
        }
        match kind {
            LockKind::Exclusive => {
                let file = self.open(path, Access::Create).map_err(LockError::Io)?;
                let written = self.write(file, b"1\n", 0, &[]);
                self.close(file);
                written.map_err(LockError::Io)?;
                self.locks.entry(path.to_owned()).or_default().exclusive = true;
            }
            LockKind::Shared => {
                self.look(format_args!("share {}", path.display())).map_err(LockError::Io)?;
                self.locks.entry(path.to_owned()).or_default().shared += 1;
            }
        }
        Ok(())
    }

    pub fn unlock(&mut self, path: &Path, kind: LockKind) {
        if let Some(holders) = self.locks.get_mut(path) {
            match kind {
                LockKind::Exclusive => holders.exclusive = false,
                LockKind::Shared => holders.shared -= 1,
            }
        }
    }

    /// Ends all processes. The content of the disk does not change.
    pub fn end_processes(&mut self) {
        self.generation += 1;
        self.power = Power::On;
        self.opens.clear();
        self.locks.clear();
        self.forget_unreachable();
    }

    /// Cuts and restores the power. Each change that is not durable is kept or lost.
    pub fn lose_power(&mut self) {
        let luck = Luck::draw(&mut self.rng);
        self.names.lose_power(luck, &mut self.rng);
        self.end_processes();
        for content in self.files.values_mut() {
            let luck = Luck::draw(&mut self.rng);
            Arc::make_mut(content).lose_power(luck, self.unsynced_flips, &mut self.rng);
        }
    }

    /// Removes files without a handle that no name leads to, neither live nor on the platter.
    fn forget_unreachable(&mut self) {
        let (names, opens) = (&self.names, &self.opens);
        self.files.retain(|file, _| opens.contains_key(file) || names.may_reach(*file));
    }
}
