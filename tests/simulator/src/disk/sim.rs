//! The disk for the simulation, which cuts the power, sets the faults and inspects the content without a trace.

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

/// The state of the disk, shared by all handles.
#[derive(Clone, Debug)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere fails its own test; the state under the lock is still consistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A simulated disk. Clones are the same disk.
///
/// Give processes [`Self::mount`], which ends with their generation. The disk itself is also a [`Disk`], and then
/// always belongs to the current generation.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Shared,
}

impl SimDisk {
    /// An empty disk without faults. The seed determines all random choices.
    pub fn new(seed: u64) -> Self {
        Self::of(State::new(seed))
    }

    fn of(state: State) -> Self {
        Self { shared: Shared(Arc::new(Mutex::new(state))) }
    }

    /// The disk for the current generation of processes, until the next crash.
    pub fn mount(&self) -> Mount {
        Mount { shared: self.shared.clone(), generation: self.shared.lock().generation }
    }

    /// Sets the faults.
    pub fn set_faults(&self, faults: DiskFaults) {
        self.shared.lock().faults = faults;
    }

    /// The current faults.
    pub fn faults(&self) -> DiskFaults {
        self.shared.lock().faults.clone()
    }

    /// Sets the probability that a power cut flips one bit in a sector with bytes that were not durable. The bit is
    /// in a byte that differs from the durable one.
    pub fn set_unsynced_flips(&self, probability: f64) {
        self.shared.lock().unsynced_flips = probability;
    }

    /// Cuts the power after `changes` further changes. The change after them is done in part, not at all, or
    /// completely, and fails. From then on every call fails without effect, until [`Self::power_cut`] or
    /// [`Self::process_crash`].
    pub fn crash_after(&self, changes: u64) {
        self.shared.lock().power = Power::OnFor(changes);
    }

    /// Whether the power was cut by [`Self::crash_after`].
    pub fn is_down(&self) -> bool {
        self.shared.lock().power == Power::Off
    }

    /// Cuts the power, unless it is already off, and restores it. Each change that was not durable is kept or lost,
    /// and a new generation of processes begins.
    pub fn power_cut(&self) {
        self.shared.lock().lose_power();
    }

    /// Ends all processes and begins a new generation. The page cache stays.
    pub fn process_crash(&self) {
        self.shared.lock().end_processes();
    }

    /// The number of the current generation of processes.
    pub fn generation(&self) -> u64 {
        self.shared.lock().generation
    }

    /// An independent disk with the content that processes see, without faults, locks or a scheduled crash. Changes
    /// of the copy do not affect this disk, and making it takes nothing from the random generator.
    pub fn fork(&self) -> Self {
        let mut state = self.shared.lock().clone();
        state.faults = DiskFaults::default();
        state.end_processes();
        Self::of(state)
    }

    /// Flips one bit of a file, on the platter and in the page cache. Returns `false` if there is no such byte.
    pub fn flip_bit(&self, path: &Path, byte: usize, bit: u8) -> bool {
        let mut state = self.shared.lock();
        let found = state.names.file(path).filter(|file| byte < state.content(*file).bytes().len());
        found.inspect(|file| state.flip_bit(*file, byte, bit)).is_some()
    }

    /// The bytes of a file, as processes see them.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.shared.lock();
        state.names.file(path).map(|file| state.content(file).bytes().to_vec())
    }

    /// The bytes of a file that survive every power cut, if its name does.
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

    /// The number and digest of the operations so far.
    pub fn operations(&self) -> Operations {
        self.shared.lock().history.operations
    }

    /// Keeps a line for each operation from now on, for [`Self::take_history`].
    pub fn keep_history(&self) {
        self.shared.lock().history.keep();
    }

    /// The operations since the last call, one a line.
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
