//! Makes the WAL durable before a connection opens: its bytes are written again in place, and synced.
//!
//! *Why*: after a failed sync, the page cache treats its pages as clean, though the disk may not have them, and no
//! later sync writes them. The frames of a commit that failed this way can still be read from the cache. The next
//! connection takes them for durable and writes after them, or moves them into the file. A power failure then leaves a
//! WAL with a hole or a file that is half moved. *Durability*: once the same bytes have been written again, the pages
//! are dirty again, and their sync vouches for them. SQLite opens the WAL only after that sync. *Recovery*: repeating
//! the rewrite, or losing power during it, changes no byte. *Readers* see the same content as before. *Writers*: there
//! are none. The last connection that wrote is idle or closing, and closing writes only to the file and may remove the
//! WAL.
//!
//! *Not covered*: the file itself. What a checkpoint of SQLite wrote to the file stays in the WAL until a sync of the
//! file has succeeded, and the next checkpoint writes it again. There is one exception: a checkpoint that a reader
//! holds back counts its pages as moved without a sync. If the next sync then fails while readers stay connected,
//! nothing writes these pages again. Rewriting the file here was rejected: closing any handle of the file would end the
//! locks that SQLite has on it in this process. On the WAL SQLite has no locks.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use orderflow_world::disk::{Access, Disk};
use tokio::task::JoinSet;

use crate::DatabaseError;

/// The most bytes that are in memory at once.
const PIECE_BYTES: usize = 1 << 20;

/// Makes everything in the WAL of this database durable. If the future is dropped, the next call waits for what the
/// first one has begun.
pub(super) async fn make_durable(disk: &Arc<dyn Disk>, database: &Path) -> Result<(), DatabaseError> {
    let wal = path(database);
    let failed = |source| DatabaseError::Wal { path: wal.display().to_string(), source };
    if !disk.blocks() {
        return rewrite(&**disk, &wal).map_err(failed);
    }
    // A `JoinSet` is used because dropping it cancels a task that has not begun.
    let mut tasks = JoinSet::new();
    let (disk, path) = (Arc::clone(disk), wal.clone());
    tasks.spawn_blocking(move || rewrite(&*disk, &path));
    let done = tasks.join_next().await;
    done.map_or(Ok(()), |joined| joined.map_err(io::Error::other).and_then(|done| done)).map_err(failed)
}

/// The path of the WAL, as SQLite names it.
fn path(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn rewrite(disk: &dyn Disk, wal: &Path) -> io::Result<()> {
    // A rewrite that was abandoned must not continue while a connection that opened later is in use.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match disk.open(wal, Access::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened?,
    };
    let length = file.len()?;
    let mut piece = vec![0; usize::try_from(length).map_or(PIECE_BYTES, |length| length.min(PIECE_BYTES))];
    let mut position = 0;
    while position < length {
        let rest = usize::try_from(length - position).unwrap_or(PIECE_BYTES);
        let bytes = &mut piece[..rest.min(PIECE_BYTES)];
        file.read_at(bytes, position)?;
        file.write_at(bytes, position)?;
        position += bytes.len() as u64;
    }
    file.sync()?;
    // The directory entry is synced too: SQLite syncs the directory of a WAL only once, when it creates the WAL.
    match wal.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => disk.sync_dir(folder),
        _ => disk.sync_dir(Path::new(".")),
    }
}

#[cfg(test)]
mod tests {
    use orderflow_world::disk::{DiskFile, LockError, LockGuard, LockKind, RealDisk};

    use super::*;

    /// The real disk. It records what is durable, and can be told to fail syncs.
    #[derive(Debug, Default)]
    struct Noting {
        notes: Arc<Mutex<Vec<String>>>,
        refuses: bool,
    }

    #[derive(Debug)]
    struct NotingFile(Arc<dyn DiskFile>, Arc<Mutex<Vec<String>>>, bool);

    impl Disk for Noting {
        fn create_dir(&self, _: &Path) -> io::Result<()> {
            unreachable!("nothing is made")
        }

        fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn DiskFile>> {
            let file = RealDisk.open(path, access)?;
            Ok(Arc::new(NotingFile(file, Arc::clone(&self.notes), self.refuses)))
        }

        fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
            unreachable!("nothing is renamed")
        }

        fn remove(&self, _: &Path) -> io::Result<()> {
            unreachable!("nothing is removed")
        }

        fn list(&self, _: &Path) -> io::Result<Vec<String>> {
            unreachable!("the name is known")
        }

        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            self.notes.lock().unwrap().push("folder".to_owned());
            RealDisk.sync_dir(dir)
        }

        fn lock(&self, _: &Path, _: LockKind) -> Result<LockGuard, LockError> {
            unreachable!("nothing is locked")
        }
    }

    impl DiskFile for NotingFile {
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }

        fn read_at(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
            self.0.read_at(buffer, position)
        }

        fn write_at(&self, bytes: &[u8], position: u64) -> io::Result<()> {
            self.1.lock().unwrap().push(format!("{position}+{}", bytes.len()));
            self.0.write_at(bytes, position)
        }

        fn sync(&self) -> io::Result<()> {
            self.1.lock().unwrap().push("sync".to_owned());
            if self.2 { Err(io::Error::other("the disk failed")) } else { self.0.sync() }
        }

        fn allocate(&self, _: u64) -> io::Result<()> {
            unreachable!("nothing grows")
        }
    }

    #[tokio::test]
    async fn every_byte_is_written_again_where_it_is_and_then_synced_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (database, wal) = (folder.path().join("orders.sqlite"), folder.path().join("orders.sqlite-wal"));
        let bytes: Vec<u8> = (0..2 * PIECE_BYTES + 7).map(|n| (n % 251) as u8).collect();
        std::fs::write(&wal, &bytes).unwrap();
        let noting = Noting::default();
        let notes = Arc::clone(&noting.notes);
        make_durable(&(Arc::new(noting) as Arc<dyn Disk>), &database).await.unwrap();
        assert_eq!(std::fs::read(&wal).unwrap(), bytes);
        assert_eq!(*notes.lock().unwrap(), ["0+1048576", "1048576+1048576", "2097152+7", "sync", "folder"]);
    }

    #[tokio::test]
    async fn a_database_without_a_wal_stays_without_one() {
        let folder = tempfile::tempdir().unwrap();
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        make_durable(&disk, &folder.path().join("orders.sqlite")).await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_sync_that_fails_is_tried_again_later() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("orders.sqlite-wal"), b"frames").unwrap();
        let disk: Arc<dyn Disk> = Arc::new(Noting { refuses: true, ..Noting::default() });
        let error = make_durable(&disk, &folder.path().join("orders.sqlite")).await.unwrap_err();
        assert!(error.is_transient() && !error.is_away(), "{error}");
    }
}
