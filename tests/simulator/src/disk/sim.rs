//! The disk as the simulation has it: it cuts the power, chooses the faults and looks without being seen.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use orderflow_world::disk::{Access, Disk, DiskFile, LockError, LockGuard, LockKind};

use super::{
    faults::DiskFaults,
    history::Operations,
    mount::Mount,
    state::{Power, State},
};

/// The state, for all who have the disk.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere is that test's failure; what is left behind is still a disk.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A simulated disk. Clones are the same disk.
///
/// Processes should be given [`Self::mount`]: it dies with them. The disk itself can be used as a [`Disk`] too and is
/// then always that of the processes of now.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Shared,
}

impl SimDisk {
    /// An empty disk without faults. All chance comes from the seed.
    pub fn new(seed: u64) -> Self {
        Self::of(State::new(seed))
    }

    fn of(state: State) -> Self {
        Self { shared: Shared(Arc::new(Mutex::new(state))) }
    }

    /// The disk for the processes that run now, until the next crash.
    pub fn mount(&self) -> Mount {
        Mount { shared: self.shared.clone(), generation: self.shared.lock().generation }
    }

    /// Changes the faults.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.shared.lock().faults = faults;
    }

    /// The faults as they are set.
    pub fn faults(&self) -> DiskFaults {
        self.shared.lock().faults.clone()
    }

    /// From now on a power cut turns over, with this probability, one bit in each sector of which it leaves what was
    /// not durable; in a byte that is not as the durable one was.
    pub fn set_unsynced_flips(&self, probability: f64) {
        self.shared.lock().unsynced_flips = probability;
    }

    /// Lets the power go after so many changes more: the one after them is done in part, or not, or wholly, and fails;
    /// from then on everything fails and changes nothing, until [`Self::power_cut`] or [`Self::process_crash`].
    pub fn crash_after(&self, changes: u64) {
        self.shared.lock().power = Power::OnFor(changes);
    }

    /// Whether the power is gone, by [`Self::crash_after`].
    pub fn is_down(&self) -> bool {
        self.shared.lock().power == Power::Off
    }

    /// The power goes, if it has not yet, and comes back: what was not durable is kept or lost, and a new generation
    /// of processes begins.
    pub fn power_cut(&self) {
        self.shared.lock().lose_power();
    }

    /// All processes are killed and a new generation begins; the page cache stays.
    pub fn process_crash(&self) {
        self.shared.lock().end_processes();
    }

    /// Which generation of processes runs.
    pub fn generation(&self) -> u64 {
        self.shared.lock().generation
    }

    /// A disk of its own with the same content as processes see it, without faults, locks or a coming crash. What
    /// is done to it does nothing to this one; looking costs no randomness here.
    pub fn fork(&self) -> Self {
        let mut state = self.shared.lock().clone();
        state.faults = DiskFaults::default();
        state.end_processes();
        Self::of(state)
    }

    /// Turns one bit of a file over, on the platter and in the page cache. False if there is no such byte.
    pub fn flip_bit(&self, path: &Path, byte: usize, bit: u8) -> bool {
        let mut state = self.shared.lock();
        let found = state.names.file(path).filter(|file| byte < state.content(*file).bytes().len());
        found.inspect(|file| state.flip_bit(*file, byte, bit)).is_some()
    }

    /// The bytes of a file as processes see them.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.shared.lock();
        state.names.file(path).map(|file| state.content(file).bytes().to_vec())
    }

    /// The bytes of a file that are sure to survive, if its name is.
    pub fn read_durable(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.shared.lock();
        state.names.durable_file(path).map(|file| state.content(file).durable().to_vec())
    }

    /// All files with their lengths, as processes see them, in the order of their paths.
    pub fn files(&self) -> Vec<(PathBuf, u64)> {
        let state = self.shared.lock();
        let length = |file| state.content(file).bytes().len() as u64;
        state.names.files().map(|(path, file)| (path.to_owned(), length(file))).collect()
    }

    /// How often the disk was used, and how.
    pub fn operations(&self) -> Operations {
        self.shared.lock().history.operations
    }

    /// Keeps a line for each operation from now on, for [`Self::take_history`].
    pub fn keep_history(&self) {
        self.shared.lock().history.keep();
    }

    /// The operations since the last time, one a line.
    pub fn take_history(&self) -> Vec<String> {
        self.shared.lock().history.take()
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        self.mount().create_dir(dir)
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        self.mount().open(path, access)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mount().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.mount().remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.mount().list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.mount().sync_dir(dir)
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<LockGuard, LockError> {
        self.mount().lock(path, kind)
    }

    fn blocks(&self) -> bool {
        false
    }
}
