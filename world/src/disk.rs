//! The only access to the file system for data that must survive a crash: [`Disk`] and [`DiskFile`].
//!
//! [`RealDisk`] is implemented here; the tests and the simulator have disks that fail on purpose. Durability is
//! explicit: written bytes survive a power cut only after [`DiskFile::sync`] of the file, and a new, renamed or removed
//! name only after [`Disk::sync_dir`] of its folder.

use std::{
    any::Any,
    fmt,
    fs::{File, OpenOptions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    path::Path,
    sync::Arc,
};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading; the file must exist.
    Read,
    /// For reading and writing; the file must exist.
    Write,
    /// For reading and writing; the file is created, or emptied if it exists.
    Create,
}

/// How a folder is locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// Held by one writer, excluding all others.
    Exclusive,
    /// Held by any number of readers, excluding writers.
    Shared,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockError {
    /// Another holder has the lock. The text is what the owner wrote into the lock file: its process id.
    Held(String),
    /// The lock file could not be opened, locked or written.
    Io(io::Error),
}

/// Holds a lock until it is dropped.
pub type LockGuard = Box<dyn Any + Send + Sync>;

/// The part of a file system that the log, snapshots and the repair of a database need.
///
/// All calls may block, and several threads may make them at once. A failed call may have had any part of its effect.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Creates the folder and its missing parents. They are durable when the call returns.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Opens a file with this access.
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>>;

    /// Renames a file atomically, replacing any file with the new name. Durable only after [`Self::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Durable only after [`Self::sync_dir`].
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names of the entries of a folder, in any order.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes new, renamed and removed names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock at `path`, or fails at once. An exclusive lock creates the file if it is missing and writes its
    /// owner into it; a shared lock changes nothing.
    fn lock(&self, path: &Path, kind: LockKind) -> Result<LockGuard, LockError>;

    /// Whether calls may take long. Async code then makes its reads on a blocking thread.
    fn blocks(&self) -> bool {
        true
    }
}

/// An open file. Every read and write names its position, so many threads can share one handle.
pub trait DiskFile: fmt::Debug + Send + Sync + 'static {
    /// The length of the file, in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Fills all of `buffer` with the bytes from `position` on, or fails.
    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()>;

    /// Returns exactly `length` bytes from `position` on, or fails. A file that ends before is
    /// [`io::ErrorKind::UnexpectedEof`].
    fn read_vec_at(&self, length: usize, position: u64) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.read_at(&mut bytes, position)?;
        Ok(bytes)
    }

    /// Writes all of `bytes` at `position`.
    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()>;

    /// Makes everything that was written durable (`fdatasync`).
    fn sync(&self) -> io::Result<()>;

    /// Sets the length and reserves the space durably: later writes within it never run out of space. New bytes read as
    /// zero.
    fn allocate(&self, length: u64) -> io::Result<()>;
}

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        let above = dir.parent().unwrap_or(Path::new(""));
        self.create_dir(above)?;
        match std::fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        self.sync_dir(if above.as_os_str().is_empty() { Path::new(".") } else { above })
    }

    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        match access {
            Access::Read => options.read(true),
            Access::Write => options.read(true).write(true),
            Access::Create => options.read(true).write(true).create(true).truncate(true),
        };
        Ok(Arc::new(options.open(path)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path, kind: LockKind) -> Result<LockGuard, LockError> {
        let file = match kind {
            LockKind::Exclusive => {
                OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
            }
            LockKind::Shared => File::open(path),
        };
        let mut file = match file {
            Ok(file) => file,
            // No writer ever opened this folder, so there is no lock to respect and nothing to change.
            Err(error) if kind == LockKind::Shared && error.kind() == io::ErrorKind::NotFound => {
                return Ok(Box::new(()));
            }
            Err(error) => return Err(LockError::Io(error)),
        };
        let taken = match kind {
            LockKind::Exclusive => file.try_lock(),
            LockKind::Shared => file.try_lock_shared(),
        };
        match taken {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // The lock is reported as held even if the owner cannot be read.
                let _ = file.read_to_string(&mut owner);
                return Err(LockError::Held(owner.trim().to_owned()));
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        if kind == LockKind::Exclusive {
            file.set_len(0).map_err(LockError::Io)?;
            writeln!(file, "{}", std::process::id()).map_err(LockError::Io)?;
        }
        Ok(Box::new(file))
    }
}

impl DiskFile for File {
    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.read_exact_at(buffer, position)
    }

    /// Reads into memory that is not zeroed first: zeroing costs about as much as copying from the page cache.
    fn read_vec_at(&self, length: usize, position: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            let next = position + bytes.len() as u64;
            match rustix::io::pread(self, rustix::buffer::spare_capacity(&mut bytes), next) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
        self.write_all_at(bytes, position)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        match rustix::fs::fallocate(self, rustix::fs::FallocateFlags::empty(), 0, length) {
            Ok(()) => {}
            // The file system has no `fallocate`. Writing zeros reserves the space as well.
            Err(rustix::io::Errno::OPNOTSUPP) => write_zeros(self, 0..length)?,
            Err(error) => return Err(error.into()),
        }
        self.sync_all()
    }
}

/// Zeros to write from, and to compare with.
pub static ZEROS: [u8; 1 << 18] = [0; 1 << 18];

/// Overwrites a range of the file with zeros. Not durable until the file is synced.
pub fn write_zeros(file: &dyn DiskFile, range: std::ops::Range<u64>) -> io::Result<()> {
    let mut position = range.start;
    while position < range.end {
        let length = usize::try_from(range.end - position).map_or(ZEROS.len(), |rest| rest.min(ZEROS.len()));
        file.write_at(&ZEROS[..length], position)?;
        position += length as u64;
    }
    Ok(())
}

/// The bytes of a whole file.
pub fn read_file(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Access::Read)?;
    let length = usize::try_from(file.len()?).map_err(io::Error::other)?;
    file.read_vec_at(length, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_gives_the_bytes_that_were_asked_for_and_no_fewer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let bytes: Vec<u8> = (0..100_000).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let file = RealDisk.open(&path, Access::Read).unwrap();
        for (length, position) in [(0, 0), (1, 0), (1_000, 7), (99_993, 7), (0, 100_000)] {
            let read = file.read_vec_at(length, position as u64).unwrap();
            assert_eq!(read, bytes[position..position + length]);
        }
        for (length, position) in [(100_001, 0), (2, 99_999), (1, 100_000)] {
            let error = file.read_vec_at(length, position).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        assert_eq!(read_file(&RealDisk, &path).unwrap(), bytes);
    }
}
