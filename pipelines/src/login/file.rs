//! The file of log-ins: one for each user of the machine, with one entry for each origin.
//!
//! *Secrecy*: the file has mode 0600 and its folder, if it is made here, 0700; a file that others can read is refused.
//! *Atomicity*: a change is written beside the file, synced and renamed, so readers see the old or the new content.
//! *Concurrency*: whoever changes the file holds the lock of `FILE.lock`. It is another file because a rename replaces
//! the file itself, and with it everything that waits for a lock on it.

use std::{
    collections::BTreeMap,
    fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::stored::StoredLogin;
use crate::remote::Origin;

/// The format that this program writes.
const FORMAT: u32 = 1;
/// How long a command waits for the lock. Another command holds it while it renews a log-in or ends one.
const LOCK_WITHIN: Duration = Duration::from_secs(60);
/// The pause between two tries to get the lock.
const LOCK_AGAIN: Duration = Duration::from_millis(20);

/// Where log-ins are stored.
#[derive(Clone, Debug)]
pub struct LoginFile {
    path: PathBuf,
}

/// The stored log-ins by origin.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logins {
    format: u32,
    logins: BTreeMap<String, StoredLogin>,
}

impl Default for Logins {
    fn default() -> Self {
        Self { format: FORMAT, logins: BTreeMap::new() }
    }
}

impl Logins {
    /// The log-in at this origin, and no other.
    pub fn get(&self, origin: &Origin) -> Option<&StoredLogin> {
        self.logins.get(&origin.to_string())
    }

    /// Stores a log-in in place of an earlier one at the same origin.
    pub fn insert(&mut self, origin: &Origin, login: StoredLogin) {
        self.logins.insert(origin.to_string(), login);
    }

    /// Removes the log-in at this origin.
    pub fn remove(&mut self, origin: &Origin) -> Option<StoredLogin> {
        self.logins.remove(&origin.to_string())
    }
}

/// The right to change the file; other commands wait until this is dropped.
pub struct LockedFile<'a> {
    file: &'a LoginFile,
    _lock: File,
}

impl LoginFile {
    /// The given file, else `orderflow/logins.json` in the user's folder for configuration: `$XDG_CONFIG_HOME`, or
    /// `~/.config`. `None` for a user without any of them.
    pub fn locate(given: Option<PathBuf>) -> Option<Self> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let of_user = || {
            let folder =
                absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
            Some(folder.join("orderflow").join("logins.json"))
        };
        given.or_else(of_user).map(|path| Self { path })
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the stored log-ins. There are none if there is no file.
    pub fn read(&self) -> Result<Logins> {
        let path = self.path.display();
        let mut file = match File::open(&self.path) {
            Err(error) if is_absent(&error) => return Ok(Logins::default()),
            opened => opened.with_context(|| format!("cannot read the stored log-ins in {path}"))?,
        };
        let mode = file.metadata()?.permissions().mode();
        ensure!(
            mode & 0o077 == 0,
            "other users can read the stored log-ins in {path}: run `chmod 600 {path}`, and log in again if \
             somebody may have read them"
        );
        let mut text = String::new();
        file.read_to_string(&mut text)
            .with_context(|| format!("cannot read the stored log-ins in {path}"))?;
        // An error of the parser could quote a secret.
        let Ok(logins) = serde_json::from_str::<Logins>(&text) else {
            bail!("{path} has no valid log-ins, or those of a newer version: remove it and log in again");
        };
        ensure!(logins.format == FORMAT, "{path} has log-ins of a newer version of orderflow");
        Ok(logins)
    }

    /// Waits for the right to change the file. Dropping the future gives up.
    pub async fn lock(&self) -> Result<LockedFile<'_>> {
        let path = self.path.with_added_extension("lock");
        let started = Instant::now();
        let lock = self.open_lock(&path).with_context(|| format!("cannot lock {}", path.display()))?;
        loop {
            match lock.try_lock() {
                Ok(()) => return Ok(LockedFile { file: self, _lock: lock }),
                Err(TryLockError::WouldBlock) if started.elapsed() < LOCK_WITHIN => {
                    tokio::time::sleep(LOCK_AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => {
                    bail!("another `orderflow` has held the lock {} for a minute", path.display())
                }
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("cannot lock {}", path.display()));
                }
            }
        }
    }

    fn open_lock(&self, path: &Path) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.folder())?;
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)
    }

    fn folder(&self) -> &Path {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new("."))
    }
}

impl LockedFile<'_> {
    /// Reads the stored log-ins, as [`LoginFile::read`] does.
    pub fn read(&self) -> Result<Logins> {
        self.file.read()
    }

    /// Replaces the stored log-ins. The change is durable when this returns.
    pub fn replace(&self, logins: &Logins) -> Result<()> {
        let path = &self.file.path;
        self.write(logins).with_context(|| format!("cannot store the log-in in {}", path.display()))
    }

    fn write(&self, logins: &Logins) -> Result<()> {
        let folder = self.file.folder();
        let mode = Permissions::from_mode(0o600);
        let mut beside = tempfile::Builder::new().prefix(".logins-").permissions(mode).tempfile_in(folder)?;
        serde_json::to_writer_pretty(&mut beside, logins)?;
        beside.write_all(b"\n")?;
        beside.as_file().sync_all()?;
        beside.persist(&self.file.path)?;
        Ok(File::open(folder)?.sync_all()?)
    }
}

/// Whether an error means that there is no such file. A folder that is a file has none.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::{
        super::stored::{Account, Tokens},
        *,
    };

    fn login(token: &str) -> StoredLogin {
        let tokens = Tokens { access_token: token.to_owned().into(), expires_in: 900, refresh_token: None };
        let account =
            Account::Client { id: "shop".to_owned(), secret: Some("of the shop".to_owned().into()) };
        StoredLogin::new(account, tokens, 1_000)
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[tokio::test]
    async fn log_ins_are_stored_for_their_origin_and_readable_for_their_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = LoginFile { path: folder.path().join("config/orderflow/logins.json") };
        assert_eq!(file.read().unwrap(), Logins::default());
        let origin = Origin::parse("https://orders.example").unwrap();
        let locked = file.lock().await.unwrap();
        let mut logins = locked.read().unwrap();
        logins.insert(&origin, login("one"));
        locked.replace(&logins).unwrap();
        drop(locked);
        let logins = file.read().unwrap();
        assert_eq!(logins.get(&Origin::parse("HTTPS://Orders.Example:443/").unwrap()), Some(&login("one")));
        for other in ["http://orders.example:443", "https://orders.example:444", "https://evil.example"] {
            assert_eq!(logins.get(&Origin::parse(other).unwrap()), None, "{other}");
        }
        assert_eq!(mode(&file.path), 0o600);
        assert_eq!(mode(file.folder()), 0o700);
        let files = std::fs::read_dir(file.folder()).unwrap().count();
        assert_eq!(files, 2, "the file and its lock, and nothing that was written beside");
    }

    #[tokio::test(start_paused = true)]
    async fn one_command_at_a_time_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let file = LoginFile { path: folder.path().join("logins.json") };
        let other = LoginFile { path: file.path.clone() };
        let held = file.lock().await.unwrap();
        let waiting = tokio::time::timeout(Duration::from_secs(1), other.lock()).await;
        assert!(waiting.is_err(), "two commands have the lock");
        drop(held);
        other.lock().await.unwrap();
    }

    #[test]
    fn a_file_that_others_can_read_or_that_is_damaged_is_named_and_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = LoginFile { path: folder.path().join("logins.json") };
        let mut logins = Logins::default();
        logins.insert(&Origin::parse("https://orders.example").unwrap(), login("pale-otter"));
        let text = serde_json::to_string(&logins).unwrap();
        let newer = text.replace("\"format\":1", "\"format\":2");
        let unknown = text.replace("\"renew_at\"", "\"pale-otter\"");
        for (content, mode, word) in [
            (text.as_str(), 0o640, "chmod 600"),
            (&text[..text.len() - 2], 0o600, "log in again"),
            (&newer, 0o600, "newer"),
            (&unknown, 0o600, "log in again"),
        ] {
            std::fs::write(&file.path, content).unwrap();
            std::fs::set_permissions(&file.path, Permissions::from_mode(mode)).unwrap();
            let error = format!("{:#}", file.read().unwrap_err());
            let is_named = error.contains(word) && error.contains("logins.json");
            assert!(is_named && !error.contains("otter"), "{error}");
        }
    }
}
